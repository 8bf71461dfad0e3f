"""The same server as for the tests of the web, behind either door."""

from __future__ import annotations

from tests.core.web.conftest import is_fronted as is_fronted
from tests.core.web.conftest import serve as serve
