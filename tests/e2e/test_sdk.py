"""The official openai and anthropic SDKs, unmodified, against a node that has no engine: what comes
back is what their types expect, and refusals become the right exceptions."""

import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh
from runner import SKIPPED, equal, eventually, main, test

try:
    import anthropic
    import openai
except ImportError:
    print("skip: no SDKs here: scripts/setup --test")
    sys.exit(SKIPPED)

MESSAGES = [{"role": "user", "content": "hello"}]


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.backend = self.engine("m1,m2")
        self.edge = self.node("edge-1", tier="edge")
        self.cloud = self.node("cloud-1", tier="cloud", backends=[self.backend.url])
        self.start()
        eventually(lambda: "m1" in self.edge.model_nodes(), "models")
        url = f"http://127.0.0.1:{self.edge.http}"
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=20)
        self.patient = self.openai.with_options(max_retries=2)
        self.anthropic = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0,
                                             timeout=20)

    def close(self):
        self.openai.close()
        self.anthropic.close()
        super().close()


def scripted(**script):
    return {"engine": script}


@test
def chat_answers(world):
    answer = world.openai.chat.completions.create(model="m1", messages=MESSAGES)
    equal(answer.choices[0].message.content, "word0 word1 word2 word3 word4 ", "content")
    equal(answer.usage.total_tokens, 12, "usage")


@test
def chat_streams_with_usage(world):
    stream = world.openai.chat.completions.create(
        model="m1", messages=MESSAGES, stream=True, stream_options={"include_usage": True},
        extra_body=scripted(do="sse", events=6, delay=0.02, pings=True))
    text, usage = "", None
    for chunk in stream:
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    equal(text, "word0 word1 word2 word3 word4 word5 ", "content")
    equal(usage.completion_tokens, 6, "usage")


@test
def raw_answers_name_the_node(world):
    raw = world.openai.chat.completions.with_raw_response.create(model="m1", messages=MESSAGES)
    equal(raw.headers["grapevine-node"], "cloud-1", "grapevine-node")
    equal(raw.headers["grapevine-path"], "edge-1,cloud-1", "grapevine-path")
    assert raw.headers["x-request-id"] and raw.parse().choices, raw


@test
def completions_answer_and_stream(world):
    answer = world.openai.completions.create(model="m2", prompt="once")
    assert answer.choices[0].text.startswith("word0"), answer
    parts = [chunk.choices[0].text
             for chunk in world.openai.completions.create(model="m2", prompt="once", stream=True)]
    equal("".join(parts), answer.choices[0].text, "streamed text")


@test
def embeddings_answer(world):
    answer = world.openai.embeddings.create(model="m1", input=["a", "b"], encoding_format="float")
    equal([item.embedding for item in answer.data], [[0.25, -0.5, 1.0]] * 2, "embeddings")


@test
def responses_answer_and_stream(world):
    answer = world.openai.responses.create(model="m1", input="hello")
    equal(answer.output_text, "word0 word1 word2 word3 word4 ", "text")
    kinds = [event.type for event in world.openai.responses.create(model="m1", input="hello",
                                                                   stream=True)]
    equal((kinds[0], kinds[-1]), ("response.created", "response.completed"), "events")
    equal(kinds.count("response.output_text.delta"), 5, "deltas")


@test
def models_are_listed_and_retrieved(world):
    equal(sorted(model.id for model in world.openai.models.list()), ["m1", "m2"], "models")
    equal(world.openai.models.retrieve("m2").owned_by, "engine", "owner")


def expect(kind, call, code):
    try:
        call()
    except kind as error:
        equal(error.code, code, "code")
        return error
    raise AssertionError(f"no {kind.__name__}")


@test
def an_unknown_model_is_a_not_found_error(world):
    error = expect(openai.NotFoundError, lambda: world.openai.chat.completions.create(
        model="m3", messages=MESSAGES), "model_not_found")
    equal((error.status_code, error.param), (404, "model"), "error")
    assert error.request_id, "no request id"
    expect(openai.NotFoundError, lambda: world.openai.models.retrieve("m3"), "model_not_found")


@test
def a_bad_request_is_a_bad_request_error(world):
    expect(openai.BadRequestError, lambda: world.openai.post(
        "/chat/completions", body={"messages": MESSAGES}, cast_to=object), "missing_model")


@test
def a_busy_engine_is_a_rate_limit_error(world):
    try:
        world.openai.chat.completions.create(
            model="m1", messages=MESSAGES, extra_body=scripted(do="429", retry_after=2))
    except openai.RateLimitError as error:
        equal(error.response.headers["retry-after"], "2", "retry-after")
    else:
        raise AssertionError("no RateLimitError")


@test
def a_broken_engine_is_an_internal_server_error(world):
    expect(openai.InternalServerError, lambda: world.openai.chat.completions.create(
        model="m2", messages=MESSAGES, extra_body=scripted(do="close")), "backend_failed")


@test
def a_stream_that_breaks_off_is_an_api_error(world):
    stream = world.openai.chat.completions.create(
        model="m1", messages=MESSAGES, stream=True, extra_body=scripted(do="reset_stream"))
    text = ""
    try:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    except openai.APIError as error:
        equal(error.code, "backend_failed", "code")
        equal(text, "word0 word1 ", "what came before")
        return
    raise AssertionError("the SDK took a broken stream for a whole one")


@test
def a_stream_that_is_left_cancels_the_work(world):
    with world.openai.chat.completions.create(
            model="m1", messages=MESSAGES, stream=True,
            extra_body=scripted(do="sse", events=2000, delay=0.02)) as stream:
        next(iter(stream))
    eventually(lambda: world.backend.stats()["running"] == 0, "the engine is told")


@test
def many_at_once_by_the_async_client(world):
    async def run():
        async with openai.AsyncOpenAI(base_url=str(world.openai.base_url), api_key="none",
                                      max_retries=0, timeout=30) as client:
            return await asyncio.gather(*(one(client, number) for number in range(40)))

    async def one(client, number):
        answer = await client.chat.completions.create(
            model="m1", messages=MESSAGES, extra_body=scripted(text=f"n{number}x", events=1))
        return answer.choices[0].message.content

    equal(asyncio.run(run()), [f"n{number}x0 " for number in range(40)], "answers")


@test
def anthropic_messages_answer_and_stream(world):
    arguments = {"model": "m1", "max_tokens": 16, "messages": MESSAGES}
    answer = world.anthropic.messages.create(**arguments)
    equal(answer.content[0].text, "word0 word1 word2 word3 word4 ", "text")
    with world.anthropic.messages.stream(**arguments) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    equal(text, answer.content[0].text, "streamed text")
    equal(final.stop_reason, "end_turn", "stop reason")


@test
def anthropic_errors_are_told_apart(world):
    try:
        world.anthropic.messages.create(model="m3", max_tokens=5, messages=MESSAGES)
    except anthropic.NotFoundError as error:
        equal(error.status_code, 404, "status")
    else:
        raise AssertionError("no NotFoundError")


if __name__ == "__main__":
    main(World)
