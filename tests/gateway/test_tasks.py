"""If these fail, a model is asked for what it is not made for, or what a region declares for embeddings and ranking is not asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from curtilage.gateway.config import Limits
from curtilage.gateway.serving import Wanted
from curtilage.gateway.upstream import Upstreams
from curtilage.vendor_models import Task, stands_for
from tests.gateway.conftest import RunningGateway
from tests.gateway.mock_model import MockModel

EMBED = ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"}, "api.openai.com")
RANK = ("/v2/rerank", {"model": "rerank-v3.5", "query": "a", "documents": ["b"]}, "api.cohere.com")
CHAT = ("/v1/chat/completions", {"model": "gpt-4o", "messages": [{"role": "user", "content": "a"}]}, "api.openai.com")
SERVED = {"lab-mistral": Task.GENERATE, "lab-embed": Task.EMBED}


@pytest.fixture
def pair() -> Iterator[tuple[MockModel, MockModel]]:
    """Two model hosts: one generates, one embeds."""
    generating, embedding = MockModel(models=("lab-mistral",)), MockModel(models=("lab-embed",))
    generating.start()
    embedding.start()
    yield generating, embedding
    generating.stop()
    embedding.stop()


def before(make_gateway: Callable[..., RunningGateway], served: dict[str, Task], *hosts: MockModel) -> RunningGateway:
    """A running gateway of a region that serves these."""
    gateway = make_gateway(*(host.url for host in hosts), start=False)
    path = gateway.directory / "gateway.yaml"
    tasks = {name: task.value for name, task in served.items() if task is not Task.GENERATE}
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "models": stands_for(served), "tasks": tasks}))
    gateway.start()
    return gateway


def asked(gateway: RunningGateway, what: tuple[str, dict[str, Any], str]) -> Any:
    path, body, name = what
    return gateway.request("POST", path, body, host=name)


def test_each_call_goes_to_the_host_of_its_task_and_one_that_embeds_ranks(make_gateway, pair) -> None:
    generating, embedding = pair
    gateway = before(make_gateway, SERVED, generating, embedding)
    for _ in range(3):
        for what in (EMBED, RANK, CHAT):
            assert asked(gateway, what).status == 200
    assert {(seen.path, seen.body["model"]) for seen in generating.seen} == {("/v1/chat/completions", "lab-mistral")}
    assert {(seen.path, seen.body["model"]) for seen in embedding.seen} == {("/v1/embeddings", "lab-embed"), ("/rerank", "lab-embed")}
    gateway.stop()
    intents = [record["data"] for record in gateway.records() if record["kind"] == "intent"]
    assert {(intent["model_requested"], intent["model"]) for intent in intents} == {
        ("gpt-4o", "lab-mistral"),
        ("text-embedding-3-small", "lab-embed"),
        ("rerank-v3.5", "lab-embed"),
    }


def test_when_the_host_that_embeds_is_gone_no_other_is_asked_in_its_place(make_gateway, pair) -> None:
    generating, embedding = pair
    gateway = before(make_gateway, SERVED, generating, embedding)
    assert asked(gateway, EMBED).status == 200
    embedding.stop()
    try:
        for what in (EMBED, RANK):
            refused = asked(gateway, what)
            assert (refused.status, refused.reason) == (503, "curtilage.upstream_unavailable"), refused.raw
        assert asked(gateway, CHAT).status == 200
        assert {seen.path for seen in generating.seen} == {"/v1/chat/completions"}
    finally:
        embedding.start()


def test_a_region_without_an_embedding_model_refuses_and_names_the_task(make_gateway, model) -> None:
    gateway = before(make_gateway, {"lab-mistral": Task.GENERATE}, model)
    for what, task in ((EMBED, "embed"), (RANK, "rerank")):
        refused = asked(gateway, what)
        assert (refused.status, refused.reason) == (403, "curtilage.model_unmapped")
        assert f"serves no model with the task {task}" in refused.raw.decode()
    assert not model.seen


def test_a_host_too_busy_to_list_its_models_is_not_taken_for_one_that_serves_all(pair) -> None:
    async def looked_at_twice() -> Upstreams:
        upstreams = Upstreams([host.url for host in pair], Limits())
        await upstreams.start()
        pair[1].models = ()
        await upstreams._ask_health(upstreams.hosts[1])
        await upstreams.close()
        return upstreams

    upstreams = asyncio.run(looked_at_twice())
    generating, embedding = upstreams.hosts
    generating.outstanding = 9
    assert embedding.healthy
    assert upstreams.choose(Wanted("lab-mistral")) is generating


def test_a_model_made_to_rank_stands_before_one_that_embeds() -> None:
    both = stands_for({**SERVED, "lab-rerank": Task.RERANK})
    assert (both["rerank-v3.5"], both["embed-v4.0"], both["gpt-4o"]) == ("lab-rerank", "lab-embed", "lab-mistral")
    assert stands_for(SERVED)["rerank-v3.5"] == "lab-embed"
    assert "embed-v4.0" not in stands_for({"lab-mistral": Task.GENERATE})
    assert both["lab-embed"] == "lab-embed", "each answers to its own name"
