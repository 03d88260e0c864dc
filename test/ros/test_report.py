from sam2_ros.ros.report import Counts


def test_the_difference_of_two_moments() -> None:
    before = Counts(tracked=10, refused=1, ignored=2, dropped=3, seconds=1.0, unlocated=4)
    now = Counts(tracked=297, refused=1, ignored=2, dropped=16, seconds=10.758, unlocated=9)

    period = now - before

    assert (period.received, period.unlocated) == (300, 5)
    assert period.sentence(10.0) == "tracked 287 images in 10 s, 34 ms each; dropped 13 for newer ones, refused 0"


def test_a_period_in_which_nothing_was_tracked() -> None:
    counts = Counts(refused=5)

    assert counts.received == 5
    assert counts.sentence(10.0) == "tracked 0 images in 10 s; dropped 0 for newer ones, refused 5"
