"""What S3 says: its documents and its errors, read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from manor.blobs.refusals import BlobsFailed

Element = ElementTree.Element


@dataclass(frozen=True)
class Listed:
    """One object of a listing.

    Args:
        key: Of the object, whatever it is.
        size: Bytes.
        modified: When it was put.
        tag: Without quotes.
    """

    key: str
    size: int
    modified: datetime
    tag: str


def read_document(body: bytes) -> Element:
    """A document without its namespace.

    Raises:
        BlobsFailed: It is none, or defines entities, which nobody who speaks S3 does.
    """
    try:
        # As text, so that the parser does not believe a declaration of another encoding, which would hide a DOCTYPE.
        text = body.decode()
        if "<!DOCTYPE" in text:
            raise BlobsFailed("S3 answered with a document that has a DOCTYPE")
        root = ElementTree.fromstring(text)  # noqa: S314 - without a DOCTYPE there is nothing to expand
    except (UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
        raise BlobsFailed("S3 answered with something that is no XML") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(element: Element, name: str) -> str:
    """The text of a child; "" when there is none."""
    return (element.findtext(name) or "").strip()


def error_code(body: bytes) -> str:
    """The code of an error, such as `NoSuchKey`; "" when the body tells none."""
    try:
        return error_in(read_document(body))
    except BlobsFailed:
        return ""


def error_in(document: Element) -> str:
    """The code of the first error in a document; "" when there is none."""
    error = document if document.tag == "Error" else document.find("Error")
    if error is None:
        return ""
    code = text_of(error, "Code")
    # What is no code is repeated nowhere, and is an error all the same.
    return code if code.isalnum() else "Error"


def read_listing(body: bytes) -> tuple[list[Listed], bool]:
    """The objects of a listing, and whether there are more.

    Raises:
        BlobsFailed: It is none.
    """
    document = read_document(body)
    is_encoded = text_of(document, "EncodingType") == "url"
    found = []
    try:
        for each in document.iterfind("Contents"):
            key = text_of(each, "Key")
            found.append(
                Listed(
                    unquote_plus(key) if is_encoded else key,
                    int(text_of(each, "Size")),
                    datetime.fromisoformat(text_of(each, "LastModified")),
                    text_of(each, "ETag").strip('"'),
                )
            )
    except ValueError as error:
        raise BlobsFailed("S3 answered with a listing that cannot be read") from error
    return found, text_of(document, "IsTruncated") == "true"


def deletion(keys: Sequence[str]) -> bytes:
    """The body of DeleteObjects."""
    root = Element("Delete")
    ElementTree.SubElement(root, "Quiet").text = "true"
    for key in keys:
        ElementTree.SubElement(ElementTree.SubElement(root, "Object"), "Key").text = key
    return ElementTree.tostring(root, encoding="unicode").encode()


def completion(tags: Sequence[str]) -> bytes:
    """The body of CompleteMultipartUpload; `tags` are the parts' own, in order."""
    root = Element("CompleteMultipartUpload")
    for number, tag in enumerate(tags, 1):
        part = ElementTree.SubElement(root, "Part")
        ElementTree.SubElement(part, "PartNumber").text = str(number)
        ElementTree.SubElement(part, "ETag").text = tag
    return ElementTree.tostring(root, encoding="unicode").encode()
