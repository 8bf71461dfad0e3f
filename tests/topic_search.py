"""For tests of search: topics and messages without HTTP, and what a search finds of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from manor import SYSTEM_ID, Principal, Transaction
from manor.testing import House
from manor_topics import removing, store
from manor_topics.callers import Callers
from manor_topics.catalog import Catalog
from manor_topics.commands import Reindex
from manor_topics.config import TopicsConfig
from manor_topics.creating import new_topic
from manor_topics.domain import AccessLevel, Topic
from manor_topics.drafts import Draft
from manor_topics.message_store import COLUMNS
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.reading import Reading
from manor_topics.search import index
from manor_topics.search.finding import Criteria
from manor_topics.search.indexing import Indexer
from manor_topics.search.searching import PATIENCE_SECONDS, Page, Searching
from manor_topics.search.words import read_query
from manor_topics.tables import messages

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
PLAN = Plan(SYSTEM_ID, 0, timedelta(days=30))
ANN = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
HERS = Principal("session", user_id=ANN, scopes=frozenset({"topics:read"}))
HIS = Principal("session", user_id=UUID("01890a5d-ac96-774b-bcce-b302099a8058"))


async def add(house: House, name: str, *, owner: UUID = SYSTEM_ID, access: AccessLevel = "public") -> Topic:
    topic = new_topic(name, owner_id=owner, access_level=access, is_discoverable=False, now=NOON)
    await house.storage.write(lambda transaction: store.add_topic(transaction.connection, topic))
    return topic


async def put(house: House, topic: Topic, *texts: str, priority: int = 3, tags: Sequence[str] = ()) -> None:
    for text in texts:
        draft = Draft(text, priority=priority, tags=tuple(tags))
        await house.storage.write(lambda unit, draft=draft: publish(unit, topic, draft, Publisher("me"), PLAN))  # type: ignore[misc]


def searching(house: House, *, patience: float = PATIENCE_SECONDS) -> Searching:
    storage = house.storage
    callers = Callers(storage)
    reading = Reading(storage, Catalog(storage), callers, house.live, TopicsConfig)
    return Searching(storage, reading, callers, Indexer(storage), patience=patience)


async def search(
    house: House,
    query: str = "",
    *who: Principal,
    topic: str | None = None,
    limit: int = 50,
    offset: int = 0,
    criteria: Criteria | None = None,
) -> list[str]:
    wanted = criteria or Criteria(read_query(query) if query else None)
    page = await searching(house).everywhere(topic, who, wanted, limit=limit, offset=offset)
    return texts_of(page)


def texts_of(page: Page) -> list[str]:
    return [message.message for message in page.messages]


async def change(house: House, text: str, **values: object) -> None:
    await house.storage.write(
        lambda unit: unit.connection.execute(update(messages).where(messages.c.message == text).values(values)).close()
    )


async def remove(house: House, *texts: str) -> None:
    await house.storage.write(lambda unit: removing.remove(unit, messages.c.message.in_(texts)))


async def delete_softly(house: House, text: str) -> None:
    def work(transaction: Transaction) -> None:
        row = transaction.connection.execute(select(*COLUMNS).where(messages.c.message == text)).one()
        removing.delete_softly(transaction, row)

    await house.storage.write(work)


async def integrity(house: House) -> bool:
    """Whether the index has what it would have if it were made anew."""

    def terms(transaction: Transaction) -> list[object]:
        connection = transaction.connection
        connection.exec_driver_sql("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, topics_search, instance)")
        found = connection.exec_driver_sql("SELECT term, doc FROM temp.words ORDER BY 1, 2").all()
        connection.exec_driver_sql("DROP TABLE temp.words")
        counts = connection.exec_driver_sql(
            "SELECT * FROM topics_search_hours UNION ALL SELECT * FROM topics_search_days"
        )
        return [found, sorted(counts.all())]

    before = await house.storage.write(terms)
    await house.run_command("topics.reindex", Reindex())
    return before == await house.storage.write(terms)


async def edit(house: House, old: str, new: str) -> None:
    def work(transaction: Transaction) -> None:
        connection = transaction.connection
        before = connection.execute(select(*COLUMNS).where(messages.c.message == old)).one()
        connection.execute(update(messages).where(messages.c.position == before.position).values(message=new))
        after = connection.execute(select(*COLUMNS).where(messages.c.position == before.position)).one()
        index.renew(connection, before, after)

    await house.storage.write(work)
