import numpy as np

from sam2_ros.geometry.label_image import label_image


def _masks(*pixels: list[tuple[int, int]]) -> np.ndarray:
    masks = np.zeros((len(pixels), 2, 3), bool)
    for mask, places in zip(masks, pixels, strict=True):
        for row, column in places:
            mask[row, column] = True
    return masks


def test_pixels_are_ids() -> None:
    labels = label_image(_masks([(0, 0), (1, 0)], [(1, 2)]), [3, 7])

    assert labels.dtype == np.uint8
    assert labels.tolist() == [[3, 0, 0], [3, 0, 7]]


def test_the_smaller_object_is_in_front_in_either_order() -> None:
    large, small = [(0, 0), (0, 1), (1, 0)], [(0, 1), (0, 2)]

    assert label_image(_masks(large, small), [1, 2]).tolist() == [[1, 2, 2], [1, 0, 0]]
    assert label_image(_masks(small, large), [1, 2]).tolist() == [[2, 1, 1], [2, 0, 0]]


def test_no_objects() -> None:
    labels = label_image(np.zeros((0, 2, 3), bool), [])

    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_type_grows_with_the_ids() -> None:
    masks = _masks([(0, 0)])

    for highest, dtype in ((255, np.uint8), (256, np.uint16), (65535, np.uint16), (65536, np.int32)):
        labels = label_image(masks, [highest])
        assert labels.dtype == dtype
        assert labels[0, 0] == highest
