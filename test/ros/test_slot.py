import threading

from sam2_ros.ros.slot import NewestSlot


def test_an_empty_slot_gives_none() -> None:
    assert NewestSlot[int]().take() is None


def test_an_item_is_given_once() -> None:
    slot = NewestSlot[int]()
    slot.put(7)

    assert slot.take() == 7
    assert slot.take() is None
    assert slot.dropped == 0


def test_a_newer_item_replaces_an_older_one_which_counts_as_dropped() -> None:
    slot = NewestSlot[int]()
    for item in (1, 2, 3):
        slot.put(item)

    assert slot.take() == 3
    assert slot.dropped == 2


def test_each_item_is_taken_or_counted_as_dropped_whatever_the_threads_do() -> None:
    slot = NewestSlot[int]()
    taken: list[int] = []
    done = threading.Event()

    def take() -> None:
        while not done.is_set():
            if (item := slot.take()) is not None:
                taken.append(item)

    taker = threading.Thread(target=take)
    taker.start()
    for item in range(5000):
        slot.put(item)
    done.set()
    taker.join()
    if (last := slot.take()) is not None:
        taken.append(last)

    assert taken == sorted(set(taken))
    assert taken[-1] == 4999
    assert len(taken) + slot.dropped == 5000
