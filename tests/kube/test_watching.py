"""Lists and watches against a server that misbehaves."""

from __future__ import annotations

import random
import threading

import pytest

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.lists import read_list
from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.client.watch import Reflector, WatchTiming
from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.errors import BadAnswer, ClusterError, Gone
from descheduler.model.pods import Pod
from kube.scripted import Answer, ScriptedApi, listing, status, watching
from kube.wire_objects import Json, pod

PODS = "/api/v1/pods"
WATCH = f"{PODS}?watch"
EXPIRED = status(410, "too old", "Expired", metadata={"continue": "inconsistent"})


def codec(kind: str = "pods") -> Codec:
    return Codec(KINDS[kind].at("v1"), Interner())


def at(version: str, found: Json) -> Json:
    return {**found, "metadata": {**found["metadata"], "resourceVersion": version}}


def bookmark(version: str) -> tuple[str, Json]:
    return "BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version, "creationTimestamp": None}}


class Following:
    """A reflector that runs until it has waited `waits` times; waiting takes no time, and time passes by waiting."""

    def __init__(self, client: KubeClient, waits: int) -> None:
        self.now = 1000.0
        self.waited: list[float] = []
        self._waits = waits
        self.reflector = Reflector(
            client, codec(), WatchTiming(lambda: self.now, random.Random(7), self._wait), limit=2
        )

    def run(self) -> None:
        self.reflector.run()

    def _wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        return len(self.waited) >= self._waits

    @property
    def names(self) -> list[str]:
        objects, _ = self.reflector.contents()
        return sorted(found.name for found in objects if isinstance(found, Pod))


def names(store: ObjectStore) -> list[str]:
    return [found.name for found in store.objects.values() if isinstance(found, Pod)]


# Lists


def test_pages_are_followed_to_the_end(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing(pod("a"), pod("b"), token="next"), listing(pod("c"), version="11"))
    made = codec()
    store, version = read_list(client, made, lambda: ObjectStore(made), limit=2)
    assert names(store) == ["a", "b", "c"]
    assert version == "11"
    first, second = (r.query for r in api.seen(PODS))
    assert first == {"limit": "2"}
    assert second == {"limit": "2", "continue": "next"}


def test_a_list_that_expires_starts_again_from_nothing(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing(pod("gone"), token="next"), EXPIRED, listing(pod("a"), version="20"))
    made = codec()
    store, version = read_list(client, made, lambda: ObjectStore(made), limit=1)
    assert names(store) == ["a"]
    assert version == "20"


def test_a_list_that_keeps_expiring_is_read_in_one_piece(api: ScriptedApi, client: KubeClient) -> None:
    page = listing(pod("old"), token="next")
    api.on(PODS, page, EXPIRED, page, EXPIRED, listing(pod("a"), pod("b"), version="30"))
    made = codec()
    store, _ = read_list(client, made, lambda: ObjectStore(made), limit=1)
    assert names(store) == ["a", "b"]
    assert "limit" not in api.seen(PODS)[-1].query


def test_an_answer_that_is_no_list_is_reported(api: ScriptedApi, client: KubeClient) -> None:
    made = codec()
    for answer in (Answer(body=b"<html>"), Answer(body=b'{"items": 3}'), Answer(body=b'{"metadata":{}')):
        api.on(PODS, answer)
        with pytest.raises(BadAnswer, match="list pods"):
            read_list(client, made, lambda: ObjectStore(made))


def test_a_list_that_never_stops_expiring_is_an_error(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, EXPIRED)
    made = codec()
    with pytest.raises(Gone):
        read_list(client, made, lambda: ObjectStore(made))
    assert len(api.seen(PODS)) == 3


# Watches


def test_events_change_what_is_known(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing(pod("a"), pod("b")))
    moved = at("12", pod("a", node="n2"))
    api.on(
        WATCH, watching(("ADDED", at("11", pod("c"))), ("MODIFIED", moved), ("DELETED", at("13", pod("b"))), cut=True)
    )
    following = Following(client, waits=1)
    following.run()
    assert following.names == ["a", "c"]
    objects, _ = following.reflector.contents()
    assert {o.name: o.node for o in objects if isinstance(o, Pod)}["a"] == "n2"


def test_a_watch_that_is_cut_resumes_where_it_was(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing(version="10"))
    api.on(WATCH, watching(("ADDED", at("11", pod("a"))), cut=True), watching(("ADDED", at("12", pod("b"))), cut=True))
    following = Following(client, waits=2)
    following.run()
    assert following.names == ["a", "b"]
    assert [r.query["resourceVersion"] for r in api.seen(PODS, watch=True)] == ["10", "11"]
    assert len(api.seen(PODS, watch=False)) == 1


def test_bookmarks_move_the_version_and_confirm_what_is_known(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing(pod("a"), version="10"))
    api.on(WATCH, watching(cut=True), watching(bookmark("40"), cut=True), watching(cut=True))
    following = Following(client, waits=3)
    following.run()
    assert [r.query["resourceVersion"] for r in api.seen(PODS, watch=True)] == ["10", "10", "40"]
    after_first_wait = 1000.0 + following.waited[0]
    assert following.reflector.freshness().as_of == after_first_wait
    assert api.seen(PODS, watch=True)[0].query["allowWatchBookmarks"] == "true"
    assert 240 <= int(api.seen(PODS, watch=True)[0].query["timeoutSeconds"]) <= 480


@pytest.mark.parametrize(
    "expiry", [status(410), watching(("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}))]
)
def test_a_version_that_is_too_old_means_a_new_list(api: ScriptedApi, client: KubeClient, expiry: Answer) -> None:
    api.on(PODS, listing(pod("a"), pod("b"), version="10"), listing(pod("b"), version="50"))
    api.on(WATCH, expiry, watching(("ADDED", at("51", pod("c"))), cut=True))
    following = Following(client, waits=2)
    following.run()
    assert following.names == ["b", "c"]
    assert [r.query["resourceVersion"] for r in api.seen(PODS, watch=True)] == ["10", "50"]


def test_garbage_in_a_watch_means_a_new_list(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing(pod("a")), listing(pod("b")))
    api.on(WATCH, watching("<html>oops</html>"), watching(cut=True))
    following = Following(client, waits=2)
    following.run()
    assert following.names == ["b"]


def test_an_absurd_object_in_a_watch_is_a_problem_until_it_is_mended(api: ScriptedApi, client: KubeClient) -> None:
    broken = at("11", pod("a", resources={"requests": {"cpu": "9e999999"}}))
    api.on(PODS, listing(pod("a")))
    api.on(WATCH, watching(("MODIFIED", broken), cut=True))
    following = Following(client, waits=1)
    following.run()
    (found,), (problem,) = following.reflector.contents()
    assert isinstance(found, Pod)
    assert found.problem
    assert "spec.resources" in problem or "cpu" in problem
    api.on(WATCH, watching(("MODIFIED", at("12", pod("a"))), cut=True))
    again = Following(client, waits=1)
    again.run()
    assert again.reflector.contents()[1] == ()


def test_failures_wait_longer_each_time_and_an_event_forgives_them(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing())
    api.on(WATCH, *[status(500)] * 5, watching(("ADDED", at("11", pod("a"))), cut=True), status(500))
    following = Following(client, waits=7)
    following.run()
    growing = following.waited[:6]
    assert all(0.75 * 0.8 * 2**i <= wait <= 1.5 * 0.8 * 2**i for i, wait in enumerate(growing[:5]))
    assert following.waited[5] < 1.3  # the event came in between
    assert following.reflector.freshness().error.startswith("watch pods")


def test_a_single_cut_is_no_error_but_a_repeated_one_is(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing(pod("a")))
    api.on(WATCH, watching(cut=True))
    once, twice = Following(client, waits=1), Following(client, waits=2)
    once.run()
    twice.run()
    assert once.reflector.freshness().synced
    assert not twice.reflector.freshness().synced
    assert twice.names == ["a"]  # still there, with its age


def test_a_throttled_watch_waits_as_long_as_it_is_told(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing())
    api.on(WATCH, Answer(429, {}, {"Retry-After": "45"}))
    following = Following(client, waits=1)
    following.run()
    assert following.waited == [45.0]


def test_a_missing_permission_is_an_error_at_once(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, status(403, "no"))
    following = Following(client, waits=1)
    following.run()
    freshness = following.reflector.freshness()
    assert not freshness.synced
    assert "list pods" in freshness.error


def test_an_optional_kind_that_disappears_is_gone(api: ScriptedApi, client: KubeClient) -> None:
    endpoint = KINDS["kueue.x-k8s.io/Workload"].at("v1beta1")
    api.on(endpoint.path, listing())
    api.on(f"{endpoint.path}?watch", status(404))
    timing = WatchTiming(lambda: 0.0, random.Random(1), lambda _: False)
    reflector = Reflector(client, Codec(endpoint, Interner()), timing)
    reflector.run()
    assert reflector.gone
    assert not reflector.freshness().served


def test_a_watch_that_ends_at_once_is_not_asked_again_at_once(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing())
    api.on(WATCH, watching())
    following = Following(client, waits=3)
    following.run()
    assert len(api.seen(PODS, watch=True)) == 3


def test_a_watch_that_ran_its_time_confirms_what_is_known(api: ScriptedApi, client: KubeClient) -> None:
    api.on(PODS, listing())
    api.on(WATCH, watching(), status(500))
    times = iter([0.0, 1000.0, *[1400.0] * 20])
    waited = threading.Event()

    def wait(_: float) -> bool:
        waited.set()
        return True

    reflector = Reflector(client, codec(), WatchTiming(lambda: next(times), random.Random(1), wait))
    reflector.run()
    assert waited.is_set()
    assert reflector.freshness().as_of == 1400.0


def test_stopping_ends_a_watch_that_is_silent(api: ScriptedApi, client: KubeClient) -> None:
    stopping = threading.Event()
    listed = threading.Event()
    timing = WatchTiming(lambda: 0.0, random.Random(1), stopping.wait)
    reflector = Reflector(client, codec(), timing, changed=listed.set)
    thread = threading.Thread(target=reflector.run)
    thread.start()
    assert listed.wait(10)
    stopping.set()
    reflector.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert reflector.freshness().synced


def test_a_slow_list_is_given_up(api: ScriptedApi, client: KubeClient) -> None:
    api.on("/slow", watching("line", hold=threading.Event()))
    with pytest.raises(ClusterError):
        client.request("GET", "/slow", timeout=0.2)
