"""Files that are too large for the database: in a folder, or in a bucket of S3, behind one interface."""

from manor.blobs.interface import Blob, BlobPage, Blobs, OpenBlob
from manor.blobs.keys import check_key
from manor.blobs.local import LocalBlobs
from manor.blobs.refusals import BadKey, BadRange, BlobsFailed, NoSuchBlob
from manor.blobs.s3 import S3Blobs
from manor.blobs.s3_requests import Bucket
from manor.blobs.stores import BlobStores

__all__ = [
    "BadKey",
    "BadRange",
    "Blob",
    "BlobPage",
    "BlobStores",
    "Blobs",
    "BlobsFailed",
    "Bucket",
    "LocalBlobs",
    "NoSuchBlob",
    "OpenBlob",
    "S3Blobs",
    "check_key",
]
