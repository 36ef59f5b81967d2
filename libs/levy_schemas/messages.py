"""Messages in a queue, as Celery's workers read them.

References
----------
Celery's message protocol, version 2, and the envelope of Kombu's virtual transports: see "Message
Protocol" in Celery's documentation.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

_PERSISTENT: Final = 2


def task_message(
    task: str, arguments: Sequence[Any], *, message_id: str, queue: str, headers: dict[str, Any]
) -> str:
    """Compose the message that has a task done.

    Parameters
    ----------
    task : str
        Its name.
    arguments : sequence
        What it takes, as JSON.
    message_id : str
        Of this message, and of its delivery.
    queue : str
        The list that it is pushed to.
    headers : dict
        What else the task is told.
    """
    options: dict[str, None] = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
    body = json.dumps([list(arguments), {}, options])
    message = {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers
        | {"lang": "py", "task": task, "id": message_id, "root_id": message_id, "retries": 0},
        "properties": {
            "correlation_id": message_id,
            "delivery_mode": _PERSISTENT,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": message_id,
        },
    }
    return json.dumps(message)
