"""Mail to people: written in the transaction that gives reason for it, sent from the outbox."""

from manor.mail.composing import Mailing, MailRefused, Message
from manor.mail.invites import server_invite_letter, team_invite_letter
from manor.mail.sending import MailFailed
from manor.mail.service import LONGEST_KEPT, MAIL, Mail, UnsentLink

__all__ = [
    "LONGEST_KEPT",
    "MAIL",
    "Mail",
    "MailFailed",
    "MailRefused",
    "Mailing",
    "Message",
    "UnsentLink",
    "server_invite_letter",
    "team_invite_letter",
]
