"""Mail to people: written in the transaction that gives reason for it, sent from the outbox."""

from manor.mail.composing import Mailing, MailRefused, Message
from manor.mail.sending import MailFailed
from manor.mail.service import MAIL, Mail, UnsentLink

__all__ = ["MAIL", "Mail", "MailFailed", "MailRefused", "Mailing", "Message", "UnsentLink"]
