"""Says how Celery is set up: a message is only a hint, so nothing is kept, repeated or waited for by the broker."""

from typing import Any

from sop_engine.core.ladder import Ladder

QUEUES = ("service", "marketing", "upkeep")
PREFIX = "sop."
MOST_TASKS = 1000  # a child process is replaced after so many tasks, or when it has grown
MOST_MEMORY_KB = 300_000


def options(redis_url: str, ladder: Ladder, *, prefix: str = "sop:") -> dict[str, Any]:
    """Every setting of Celery that differs from its default. Each name exists in Celery (a test looks)."""
    from kombu.entity import Queue

    queue: Any = Queue

    return {
        "broker_url": redis_url,
        "result_backend": None,
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_publish_retry": False,
        "task_create_missing_queues": False,
        "task_queues": [queue(PREFIX + name, routing_key=PREFIX + name) for name in QUEUES],
        "task_default_queue": PREFIX + "upkeep",
        "task_default_exchange": PREFIX + "upkeep",
        "task_default_routing_key": PREFIX + "upkeep",
        "task_soft_time_limit": ladder.soft.total_seconds(),
        "task_time_limit": ladder.hard.total_seconds(),
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "worker_eta_task_limit": 100,
        "worker_soft_shutdown_timeout": ladder.begin.total_seconds(),
        "worker_max_tasks_per_child": MOST_TASKS,
        "worker_max_memory_per_child": MOST_MEMORY_KB,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "timezone": "UTC",
        "enable_utc": True,
        "broker_transport_options": {
            "visibility_timeout": max(1, ladder.visibility.total_seconds()),
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 25,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "global_keyprefix": prefix,
        },
    }
