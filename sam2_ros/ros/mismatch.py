"""What is said of a publisher whose quality of service does not fit, so that none of its messages comes."""

from __future__ import annotations

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.qos import ReliabilityPolicy, qos_policy_name_from_kind


def say_mismatch(topic: str, reliability: ReliabilityPolicy, logger: RcutilsLogger) -> SubscriptionEventCallbacks:
    """For a subscription: has a publisher that does not fit said, once. rclpy leaves it out where DDS cannot tell.

    topic: resolved. reliability: what the subscription asks for.
    """
    said = False

    def say(event: QoSRequestedIncompatibleQoSInfo) -> None:
        # The logger's own `once` holds for a line of code, so the first topic would silence the others.
        nonlocal said
        if not said:
            said = True
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            logger.error(
                f"no message of a publisher of {topic} will come, because its QoS does not fit (policy {policy}); "
                f"here it is reliability: {reliability.name.lower()}, and reliability: best_effort fits all"
            )

    return SubscriptionEventCallbacks(incompatible_qos=say)
