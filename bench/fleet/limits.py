"""Every bound of the hub in one place: sizes, numbers, rates and times."""

from __future__ import annotations

from dataclasses import dataclass

_MIB, _GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the hub accepts and how long it waits; sizes in bytes, times in seconds.

    Attributes:
        blob_bytes: of one file.
        blobs_bytes: of all files together; the least recently used make room, never one that a job waits for.
        json_bytes: of a request body that is JSON, where nothing else is said.
        document_bytes: of a runner's capabilities, and of its health.
        job_bytes: of a job with its expected outputs.
        result_bytes: of the measurements of a job, with all raw samples.
        buffered_bytes: of all JSON bodies that are held in memory at a time.
        parsed_bytes: of memory that reading them may take at a time; a single one is always read.
        uploads: of files, under way at a time, of one token.
        upload_bytes: that these may announce together; no more than that is kept free for them.
        artifacts: in one job, apart from the reference.
        samples: in one result.
        looks: of one lease that are kept, each with an event; further ones are answered alone.
        unfinished_jobs: of one client.
        unfinished_bytes: of these together, as JSON.
        keep_days: that body and result of a job are kept after its end, once its client has the result.
        keep_unfetched_days: that they are kept for a client that has not fetched it.
        requests_per_s: of one token, in the long run.
        request_burst: of one token, at once.
        anonymous_per_s: of one address, without a token that is known (health, enrolment, tokens that are made up).
        anonymous_burst: of these, at once.
        header_bytes: of a request's line and headers.
        header_s: from a connection, or from a request's first byte, to the end of its headers.
        body_s: that a body may take, over what `body_bytes_per_s` allows it.
        stall_s: without a byte of a body.
        body_bytes_per_s: the slowest sender that is waited for.
        write_s: without any progress in sending an answer.
        keep_alive_s: between two requests of a connection.
        connections: at a time.
        wait_s: of a long poll, at most.
        ttl_s: a lease without a word from its agent.
        heartbeat_s: between two words of an agent.
        attempts: of one job.
        backoff_s: before the second attempt; doubled for each further one.
        job_s: on the device, of one job.
        seen_every_s: between two writes of a runner's last word to the database.
        enrolment_s: that an enrolment code is valid.
    """

    blob_bytes: int = 256 * _MIB
    blobs_bytes: int = 20 * _GIB
    json_bytes: int = 64 << 10
    document_bytes: int = 64 << 10
    job_bytes: int = 8 * _MIB
    result_bytes: int = 64 * _MIB
    buffered_bytes: int = 128 * _MIB
    parsed_bytes: int = 768 * _MIB
    uploads: int = 16
    upload_bytes: int = _GIB
    artifacts: int = 64
    samples: int = 8_000_000
    looks: int = 1000
    unfinished_jobs: int = 5000
    unfinished_bytes: int = 256 * _MIB
    keep_days: float = 14.0
    keep_unfetched_days: float = 90.0
    requests_per_s: float = 50.0
    request_burst: int = 200
    anonymous_per_s: float = 10.0
    anonymous_burst: int = 50
    header_bytes: int = 16 << 10
    header_s: float = 10.0
    body_s: float = 30.0
    stall_s: float = 20.0
    body_bytes_per_s: float = 64 << 10
    write_s: float = 60.0
    keep_alive_s: int = 30
    connections: int = 1000
    wait_s: float = 25.0
    ttl_s: float = 60.0
    heartbeat_s: float = 15.0
    attempts: int = 3
    backoff_s: float = 2.0
    job_s: float = 6 * 3600.0
    seen_every_s: float = 30.0
    enrolment_s: float = 600.0

    @property
    def largest_body(self) -> int:
        """Of any request, whatever it is for."""
        return max(self.blob_bytes, self.result_bytes, self.job_bytes, self.json_bytes)
