"""Documents of the store."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.s3 import answers
from txregistry.storagedriver.s3.answers import BadAnswer, Part


class AnswerTests(SynchronousTestCase):
    """What is read, and what is refused."""

    def test_failures(self) -> None:
        """A refusal is read whoever wrote it."""
        told = b"<Error><Code>C</Code><Message>m</Message></Error>"
        self.assertEqual(str(answers.read_failure(403, told)), "403 C: m")
        self.assertEqual(str(answers.read_failure(502, b"<html>oops")), "502")

    def test_page(self) -> None:
        """Keys may be encoded, folders of consoles are passed over."""
        body = (
            b"<ListBucketResult><EncodingType>url</EncodingType>"
            b"<Contents><Key>a%2Bb</Key><Size>3</Size></Contents>"
            b"<Contents><Key>dir/</Key><Size>0</Size></Contents>"
            b"<IsTruncated>true</IsTruncated>"
            b"<NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
        )
        page = answers.read_page(body)
        self.assertEqual([item.key for item in page.objects], ["a+b"])
        self.assertEqual(page.token, "t")

    def test_pages_of_uploads(self) -> None:
        """The next page begins where this one says."""
        body = (
            b"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
            b"<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>"
            b"</ListMultipartUploadsResult>"
        )
        self.assertEqual(answers.read_uploads(body).markers, ("k", "u"))

    def test_bad(self) -> None:
        """What is no answer to the question is said so."""
        for read in (
            answers.read_page,
            answers.read_parts,
            answers.read_uploads,
            answers.read_upload_id,
        ):
            self.assertRaises(BadAnswer, read, b"<Other/>")
            self.assertRaises(BadAnswer, read, b"no document")
        empty = b"<InitiateMultipartUploadResult/>"
        self.assertRaises(BadAnswer, answers.read_upload_id, empty)
        self.assertRaises(BadAnswer, answers.read_etag, b"<CopyResult/>", "CopyResult")

    def test_times(self) -> None:
        """Both ways to write a time are read; others are long ago."""
        self.assertEqual(answers.read_time("1970-01-01T00:01:00.000Z"), 60)
        self.assertEqual(answers.read_time("Thu, 01 Jan 1970 00:01:00 GMT"), 60)
        self.assertEqual(
            answers.read_time("1970-01-01T01:01:00.123456789+01:00"), 60.123456
        )
        self.assertEqual(answers.read_time("1970-01-01T00:01:00"), 60)
        self.assertEqual(answers.read_time("soon"), 0)

    def test_written(self) -> None:
        """What is sent is a document as well."""
        self.assertIn(b'<ETag>"e"</ETag>', answers.completion([Part(1, '"e"', 2)]))
        self.assertIn(b"<Key>a&amp;b</Key>", answers.deletion(["a&b"]))

    def test_not_deleted(self) -> None:
        """What was not there is deleted."""
        body = (
            b"<DeleteResult><Error><Code>NoSuchKey</Code></Error>"
            b"<Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>"
        )
        ((key, failed),) = answers.not_deleted(body)
        self.assertEqual((key, str(failed)), ("k", "403 AccessDenied"))

    def test_late_failure(self) -> None:
        """A failure after a good status is found, also where it is no document."""
        kind = "CopyObjectResult"
        for good in (b"<CopyObjectResult/>", b" \n<?xml version='1.0'?> <%s/>"):
            body = good.replace(b"%s", kind.encode())
            self.assertIsNone(answers.late_failure(body, kind))
        for body, told in (
            (b"<Error><Code>InternalError</Code></Error>", "500 InternalError"),
            (b"<Error><Code>NoSuchUpload</Code></Error>", "404 NoSuchUpload"),
            (b"<Other/>", "500 expected CopyObjectResult, found Other"),
        ):
            self.assertEqual(str(answers.late_failure(body, kind)), told)
        self.assertIn("not a document", str(answers.late_failure(b"", kind)))
