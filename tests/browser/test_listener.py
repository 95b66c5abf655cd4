"""The browser listener of docs/integrating.md, in a real browser."""

from tests.browser.visitor import Visitor
from tests.e2e.test_integrating import example
from tests.service import Service, eventually


def test_the_listener_shows_each_event_once_also_after_a_lost_connection(
    visitor: Visitor, service: Service
) -> None:
    client = service.client()
    visitor.open("/admin/login/")
    # Its sockets are kept, so that the test can cut one off.
    visitor.driver.execute_script(
        "const [url, token] = arguments; window.seen = []; window.sockets = [];"
        "const Real = window.WebSocket;"
        "window.WebSocket = function (address) {"
        "  const socket = new Real(address); window.sockets.push(socket); return socket; };"
        + example("js")
        + "listen(url, token, null, (event) => window.seen.push(event));",
        service.url,
        client.token,
    )

    def seen() -> list[dict]:
        found: list[dict] = visitor.driver.execute_script("return window.seen")
        return found

    def connected(number: int) -> bool:
        return bool(
            visitor.driver.execute_script(
                f"return window.sockets.length >= {number}"
                f" && window.sockets[{number - 1}].readyState === 1"
            )
        )

    eventually(lambda: connected(1), "the listener is connected")
    # Followed from the answer of the server on: what is asked for after it is heard of.
    jobs = [client.create()["job.token"]]
    eventually(lambda: any(event["data_key"] == jobs[0] for event in seen()), "the first is heard")
    visitor.driver.execute_script("window.sockets[0].close()")
    jobs.append(client.create()["job.token"])
    eventually(lambda: connected(2), "it has connected again")
    eventually(
        lambda: any(
            event["data_key"] == jobs[1] and event["data"]["status"] == "done" for event in seen()
        ),
        "what happened meanwhile is heard of",
    )
    cursors = [event["cursor"] for event in seen()]
    assert cursors == sorted(set(cursors))
    expected = client.call("/sync/get", cc_cursor=cursors[0] - 1)["sync"]
    assert seen() == expected[: len(cursors)]
