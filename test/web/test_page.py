"""The page in a real browser: what is clicked becomes a prompt on the picture that was shown."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from sam2_ros.msg import TrackedObject
from sam2_ros.srv import Prompt, RemoveObject, UndoPrompt
from sam2_ros.tracking.last_prompt import TAKEN_BACK

by = pytest.importorskip("selenium.webdriver.common.by", reason="selenium is not installed").By
from selenium.webdriver import ActionChains, Keys  # noqa: E402
from selenium.webdriver.common.actions.action_builder import ActionBuilder  # noqa: E402

PATIENCE = 20.0


class Page:
    """The page as somebody sees and uses it, at a camera that goes on."""

    def __init__(self, browser: Any, url: str, tracker: Any, until: Any) -> None:
        self.until = partial(until, patience=PATIENCE)
        self.browser = browser
        self.tracker = tracker
        self.seconds = itertools.count(1000)
        self._plays = threading.Event()
        self._ended = threading.Event()
        self._player = threading.Thread(target=self._play)
        self._player.start()
        self.play(True)
        browser.get(url)
        self.until(lambda: "images/s" in self.text("rate"))

    def _play(self) -> None:
        while not self._ended.wait(0.1):
            if self._plays.is_set():
                self.tracker.show(next(self.seconds))

    def play(self, plays: bool) -> None:
        """Whether pictures come."""
        (self._plays.set if plays else self._plays.clear)()

    def keep(self, history: float | None) -> None:
        """Lets the page hear for how long images are kept; None: as it is where no tracker says."""
        self.tracker.history = history
        self.play(True)
        self.until(lambda: self.browser.execute_script("return keeps") == history)  # infinity comes as None

    def pass_time(self, seconds: int) -> None:
        """Lets the images' clock go on by so many."""
        self.play(False)
        then = next(self.seconds) + seconds
        self.seconds = itertools.count(then)
        self.play(True)

    def close(self) -> None:
        self._ended.set()
        self._player.join()

    def find(self, name: str) -> Any:
        return self.browser.find_element(by.ID, name)

    def text(self, name: str) -> str:
        return self.find(name).text

    @property
    def stamp(self) -> int:
        """Seconds, of the picture that is shown."""
        return int(self.browser.execute_script("return shown ? shown.stamp[0] : 0"))

    @property
    def rows(self) -> list[Any]:
        return self.find("objects").find_elements(by.TAG_NAME, "li")

    @property
    def selected(self) -> str | None:
        chosen = self.find("objects").find_elements(by.CSS_SELECTOR, "li.selected")
        return chosen[0].get_attribute("data-id") if chosen else None

    def screen(self, x: float, y: float) -> tuple[int, int]:
        """Where a pixel of the image lies from the middle of the canvas, in pixels of the screen."""
        canvas = self.find("picture")
        width, height = (int(canvas.get_attribute(edge)) for edge in ("width", "height"))
        return (
            round(((x + 0.5) / width - 0.5) * canvas.size["width"]),
            round(((y + 0.5) / height - 0.5) * canvas.size["height"]),
        )

    def click(self, x: float, y: float, key: str | None = None, right: bool = False) -> None:
        chain = ActionChains(self.browser).move_to_element_with_offset(self.find("picture"), *self.screen(x, y))
        if key is not None:
            chain.key_down(key)
        chain = chain.context_click() if right else chain.click()
        if key is not None:
            chain.key_up(key)
        chain.perform()

    def asked(self, kind: Any = None) -> Any:
        """The next request that the tracker got."""
        request = self.until(lambda: self.tracker.asked and self.tracker.asked.pop(0))
        assert kind is None or isinstance(request, kind)
        return request

    def prompted(self, count: int) -> None:
        """Waits until so many objects are listed, of which the last is selected."""
        self.until(lambda: len(self.rows) == count and self.selected == self.rows[-1].get_attribute("data-id"))


@pytest.fixture(scope="module")
def browser(open_browser: Any) -> Any:
    return open_browser()


@pytest.fixture
def page(browser: Any, url: str, tracker: Any, until: Any) -> Iterator[Page]:
    tracker.objects.clear()
    tracker.boxes.clear()
    tracker.asked.clear()
    tracker.prompts.clear()
    tracker.refuses, tracker.state, tracker.takes = "", TrackedObject.VISIBLE, 0.0
    page = Page(browser, url, tracker, until)
    yield page
    if tracker.history is not None:
        page.keep(None)
    page.close()
    complaints = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert complaints == []


def near(request: Any, x: float, y: float) -> bool:
    (point,) = request.points
    return abs(point.x - x) < 1 and abs(point.y - y) < 1  # the mouse knows whole pixels of the screen


def test_a_click_starts_an_object_on_the_picture_that_was_clicked(page: Page) -> None:
    page.play(False)
    page.until(lambda: page.stamp == page.tracker.shown.sec)
    clicked = page.stamp

    page.click(100, 60)

    request = page.asked(Prompt.Request)
    assert near(request, 100, 60) and request.points[0].label == 1
    assert (request.stamp.sec, request.stamp.nanosec, request.object_id) == (clicked, 7, 0)
    assert list(request.box) == [] and not request.preview
    page.play(True)
    page.prompted(1)
    assert page.rows[0].find_element(by.TAG_NAME, "input").get_attribute("placeholder") == "object 1"
    assert "visible, 90 % sure" in page.rows[0].text


def test_a_box_is_of_the_picture_on_which_it_was_begun(page: Page) -> None:
    canvas = page.find("picture")
    ActionChains(page.browser).move_to_element_with_offset(canvas, *page.screen(50, 40)).click_and_hold().perform()
    begun = page.stamp
    page.until(lambda: page.tracker.shown.sec > begun + 5)
    x0, y0 = page.screen(50, 40)
    x1, y1 = page.screen(200, 150)
    ActionChains(page.browser).move_by_offset(x1 - x0, y1 - y0).perform()
    assert page.find("box").is_displayed() and page.stamp == begun
    ActionChains(page.browser).release().perform()

    request = page.asked(Prompt.Request)
    assert request.stamp.sec == begun
    assert [round(edge) for edge in request.box] == pytest.approx([50, 40, 200, 150], abs=1)
    assert list(request.points) == []
    page.until(lambda: page.stamp > begun)
    assert not page.find("box").is_displayed()


def test_a_box_that_takes_long_is_of_the_picture_that_is_seen_at_last(page: Page) -> None:
    page.keep(1000)
    canvas = page.find("picture")
    ActionChains(page.browser).move_to_element_with_offset(canvas, *page.screen(50, 40)).click_and_hold().perform()
    begun = page.stamp
    page.until(lambda: page.tracker.shown.sec > begun + 5)
    assert page.stamp == begun
    page.pass_time(1000)
    page.until(lambda: page.stamp > begun)  # on the one before no prompt would land any more
    seen = page.stamp
    page.until(lambda: page.tracker.shown.sec > seen + 5)
    x0, y0 = page.screen(50, 40)
    x1, y1 = page.screen(200, 150)
    ActionChains(page.browser).move_by_offset(x1 - x0, y1 - y0).release().perform()

    request = page.asked(Prompt.Request)
    assert request.stamp.sec == seen >= begun + 1000
    assert [round(edge) for edge in request.box] == pytest.approx([50, 40, 200, 150], abs=1)


def test_what_belongs_to_the_selected_object_and_what_does_not(page: Page) -> None:
    page.click(100, 60)
    first = page.asked().object_id
    page.prompted(1)
    number = int(page.selected or 0)
    assert first == 0 and number > 0
    for how, label in (
        ({"right": True}, 0),
        ({"key": Keys.SHIFT}, 1),
    ):
        page.click(110, 70, **how)
        request = page.asked(Prompt.Request)
        assert (request.object_id, request.points[0].label) == (number, label)
    for mode, label in (("Add", 1), ("Subtract", 0)):
        page.find("modes").find_element(by.XPATH, f"button[.='{mode}']").click()
        page.click(120 + 20 * label, 80)  # elsewhere each time, or it would be a double click
        request = page.asked(Prompt.Request)
        assert (request.object_id, request.points[0].label) == (number, label)
    page.browser.find_element(by.TAG_NAME, "body").send_keys("n")
    page.click(20, 20)
    assert page.asked(Prompt.Request).object_id == 0
    page.prompted(2)


def test_a_click_on_an_object_selects_it(page: Page) -> None:
    for x, count in ((60, 1), (200, 2)):
        page.click(x, 60)
        page.asked(Prompt.Request)
        page.prompted(count)
    first, second = (int(row.get_attribute("data-id")) for row in page.rows)
    page.tracker.boxes.update({first: (20, 20, 150, 80), second: (100, 40, 60, 30)})
    page.until(lambda: page.browser.execute_script("return shown.objects.every((one) => one.mask)"))

    page.click(50, 50)
    page.until(lambda: page.selected == str(first))
    page.click(140, 50)  # on both, of which the smaller one would be hard to hit elsewhere
    page.until(lambda: page.selected == str(second))
    page.click(60, 70, key=Keys.SHIFT)  # where the first one is, but said of the second
    assert page.asked(Prompt.Request).object_id == second
    page.click(180, 90)
    assert near(request := page.asked(Prompt.Request), 180, 90) and request.object_id == 0
    page.prompted(3)


def test_a_double_click_is_one(page: Page) -> None:
    place = page.screen(100, 60)
    ActionChains(page.browser).move_to_element_with_offset(page.find("picture"), *place).double_click().perform()
    page.prompted(1)
    page.click(200, 60)
    page.prompted(2)
    assert [request.object_id for request in page.tracker.asked] == [0, 0]


def test_of_clicks_that_come_quicker_than_answers_the_last_one_counts(page: Page) -> None:
    page.tracker.takes = 0.6
    page.click(60, 60)
    page.click(200, 60)
    page.until(lambda: page.browser.execute_script("return answers.size") == 2)
    page.prompted(2)
    page.tracker.takes = 0.0
    ActionChains(page.browser).send_keys("u").perform()
    assert [page.asked().object_id for _ in range(3)][2] == int(page.rows[1].get_attribute("data-id"))


def test_who_chooses_another_object_before_the_answer_keeps_that(page: Page) -> None:
    page.click(60, 60)
    page.prompted(1)
    page.tracker.takes = 0.6
    page.click(200, 60)
    page.rows[0].find_element(by.CLASS_NAME, "colour").click()  # it was selected, and is no longer
    page.until(lambda: len(page.rows) == 2 and not page.browser.execute_script("return answers.size"))
    assert page.selected is None


def test_what_is_forgotten_before_a_picture_shows_it_is_not_selected(page: Page) -> None:
    page.play(False)
    page.click(60, 60)
    page.until(lambda: page.find("undo").is_enabled())
    ActionChains(page.browser).send_keys(Keys.DELETE).perform()
    page.until(lambda: not page.find("undo").is_enabled())
    assert not page.rows


def test_another_reading_of_a_click(page: Page) -> None:
    page.click(100, 60)
    page.asked()
    page.prompted(1)

    def readings() -> list[tuple[str, str]]:
        buttons = page.find("readings").find_elements(by.TAG_NAME, "button")
        return [(button.text, button.get_attribute("aria-pressed")) for button in buttons]

    assert readings() == [("small", "false"), ("medium", "true"), ("large", "false")]
    page.find("readings").find_elements(by.TAG_NAME, "button")[0].click()
    request = page.asked(Prompt.Request)
    assert (request.object_id, request.candidate, len(request.points)) == (int(page.selected or 0), 2, 0)


def test_other_readings_are_offered_while_the_image_is_kept(page: Page) -> None:
    page.keep(1000)
    page.click(100, 60)
    page.asked()
    page.prompted(1)

    def offered() -> list[bool]:
        script = "return [...$('readings').querySelectorAll('button')].map((button) => !button.disabled)"
        return list(page.browser.execute_script(script))

    assert offered() == [True] * 3 and page.text("meant") == "What the click meant:"
    page.pass_time(500)
    page.find("readings").find_elements(by.TAG_NAME, "button")[0].click()
    assert page.asked(Prompt.Request).candidate == 2
    assert offered() == [True] * 3
    page.pass_time(500)
    page.until(lambda: offered() == [False] * 3)
    assert page.text("meant").startswith("Too late: there are 1000 s for that.")
    assert page.find("undo").is_enabled()  # which forgets the object


def test_a_correction_can_be_undone_while_its_image_is_kept(page: Page) -> None:
    page.keep(1000)
    page.click(100, 60)
    page.asked()
    page.prompted(1)
    number = int(page.selected or 0)
    for x in (110, 150):
        page.pass_time(600)
        page.click(x, 70, key=Keys.SHIFT)
        page.asked()
    undo = page.find("undo")
    assert undo.is_enabled() and undo.get_attribute("title").startswith("Take back the last prompt")
    page.pass_time(500)
    undo.click()
    assert page.asked(UndoPrompt.Request).object_id == number
    page.until(lambda: not undo.is_enabled())  # since the correction before that is older
    assert undo.get_attribute("title").startswith("Too late: there are 1000 s for that.")
    page.browser.find_element(by.TAG_NAME, "body").send_keys("u")
    page.until(lambda: page.text("message") == undo.get_attribute("title"))
    assert not page.tracker.asked

    page.click(190, 70, key=Keys.SHIFT)
    page.asked()
    page.until(undo.is_enabled)


@pytest.mark.parametrize("another", [False, True])
def test_the_last_prompt_of_all_can_be_taken_back_for_longer(another: bool, page: Page) -> None:
    page.keep(2)
    page.click(60, 60)
    page.asked()
    page.prompted(1)
    page.click(70, 60, key=Keys.SHIFT)
    page.asked()
    if another:
        page.click(200, 60)
        page.asked()
        page.prompted(2)
        page.rows[0].click()
    page.play(False)
    undo, then = page.find("undo"), page.stamp

    def show(seconds: int) -> None:
        """The picture so long after the one that was prompted last."""
        page.tracker.show(then + seconds)
        page.until(lambda: page.stamp == then + seconds)

    show(round(TAKEN_BACK) - 5)
    assert undo.is_enabled() == (not another)
    show(round(TAKEN_BACK))
    assert not undo.is_enabled()
    seconds = 2 if another else round(TAKEN_BACK)
    assert undo.get_attribute("title").startswith(f"Too late: there are {seconds} s for that.")


def test_a_click_on_what_is_selected_says_how_to_start_another_there(page: Page) -> None:
    page.click(100, 60)
    page.prompted(1)
    number = page.asked().object_id or int(page.selected or 0)
    page.tracker.boxes[number] = (80, 40, 60, 40)
    page.until(lambda: page.browser.execute_script("return shown.objects.some((one) => one.mask !== null)"))
    page.click(120, 70)
    page.until(lambda: page.text("message").startswith(f"That is object {number} already. Drag a box"))
    assert not page.tracker.asked


def test_a_name_that_is_given_up_stays_as_it_was(page: Page) -> None:
    page.click(60, 60)
    page.asked()
    page.prompted(1)
    name = page.rows[0].find_element(by.TAG_NAME, "input")
    name.send_keys("typo", Keys.ESCAPE)
    assert name.get_attribute("value") == ""
    name.send_keys("mug", Keys.ENTER)
    assert page.asked(Prompt.Request).label == "mug"


def test_a_slip_of_the_hand_is_a_click(page: Page) -> None:
    chain = ActionChains(page.browser).move_to_element_with_offset(page.find("picture"), *page.screen(100, 60))
    chain.click_and_hold().move_by_offset(9, 1).release().perform()
    request = page.asked(Prompt.Request)
    assert len(request.points) == 1 and len(request.box) == 0


def test_escape_gives_a_box_up(page: Page) -> None:
    chain = ActionChains(page.browser).move_to_element_with_offset(page.find("picture"), *page.screen(100, 60))
    chain.click_and_hold().move_by_offset(50, 40).send_keys(Keys.ESCAPE).release().perform()
    page.click(200, 60)
    assert len(page.asked(Prompt.Request).points) == 1


def test_a_connection_that_is_silent_is_made_anew(page: Page) -> None:
    page.browser.execute_script("window.first = socket; socket.onmessage = () => {}; heard -= 60000")
    page.until(lambda: page.browser.execute_script("return socket !== window.first && socket?.readyState === 1"))
    page.until(lambda: "images/s" in page.text("rate"))


def test_what_cannot_be_sent_is_said(page: Page) -> None:
    page.browser.execute_script("socket.close()")
    page.click(60, 60)
    page.until(lambda: page.text("message") == "The page is not connected; nothing was sent.")
    page.until(lambda: page.browser.execute_script("return socket?.readyState === 1"))
    assert not page.tracker.asked


def test_an_object_is_named_undone_and_removed(page: Page) -> None:
    for x in (60, 200):
        page.click(x, 60)
        page.asked()
    page.prompted(2)
    page.rows[0].find_element(by.CLASS_NAME, "state").click()
    page.until(lambda: page.selected == page.rows[0].get_attribute("data-id"))
    page.rows[1].find_element(by.CLASS_NAME, "state").click()
    name = page.rows[0].find_element(by.TAG_NAME, "input")
    number = int(page.rows[0].get_attribute("data-id"))
    name.send_keys("red mug", Keys.ENTER)
    request = page.asked(Prompt.Request)
    assert (request.object_id, request.label, len(request.points)) == (number, "red mug", 0)
    page.until(lambda: page.rows[0].find_element(by.TAG_NAME, "input").get_attribute("value") == "red mug")

    page.rows[0].find_element(by.TAG_NAME, "button").click()
    assert page.asked(RemoveObject.Request).object_id == number
    page.until(lambda: len(page.rows) == 1)
    page.find("undo").click()
    assert page.asked().object_id == number + 1
    page.until(lambda: not page.rows)


def test_a_hidden_object_is_called_hidden(page: Page) -> None:
    page.click(60, 60)
    page.prompted(1)
    page.tracker.state = TrackedObject.OCCLUDED
    page.until(lambda: "occluded for 4.0 s" in page.rows[0].text)


def test_a_refusal_is_shown(page: Page) -> None:
    page.tracker.refuses = "there are 8 objects already; remove one, or raise capacity"
    page.click(60, 60)
    page.until(lambda: page.text("message") == page.tracker.refuses)
    assert not page.rows


def test_pause_and_forget_all(page: Page) -> None:
    page.click(60, 60)
    page.asked()
    page.find("pause").click()
    assert page.asked().data is False
    page.until(lambda: page.text("pause") == "Go on")
    page.find("pause").click()
    assert page.asked().data is True
    page.find("reset").click()
    assert page.text("reset") == "Really all?" and not page.tracker.asked
    page.find("reset").click()
    page.asked()
    page.until(lambda: not page.rows)


def test_a_camera_that_falls_silent_is_seen(page: Page) -> None:
    page.play(False)
    page.until(lambda: page.text("status") == "no images")
    page.play(True)
    page.until(lambda: "images/s" in page.text("rate"))


def test_a_picture_that_cannot_be_read_is_told_and_the_next_one_shown(page: Page) -> None:
    page.tracker.breaks = True
    page.until(lambda: page.text("message").startswith("A picture cannot be shown"))
    page.tracker.breaks = False
    broken = page.tracker.shown.sec
    page.until(lambda: page.stamp > broken)


def test_a_finger_draws_a_box(page: Page) -> None:
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    canvas = page.find("picture")
    builder = ActionBuilder(page.browser, mouse=PointerInput("touch", "finger"))
    finger = builder.pointer_action
    finger.move_to(canvas, *page.screen(50, 40)).pointer_down()
    finger.move_to(canvas, *page.screen(120, 90)).move_to(canvas, *page.screen(200, 150)).pointer_up()
    builder.perform()
    assert [round(edge) for edge in page.asked(Prompt.Request).box] == pytest.approx([50, 40, 200, 150], abs=1)


def test_who_looks_at_nothing_is_sent_nothing(page: Page) -> None:
    page.until(lambda: page.tracker.watchers == 1)  # the one of the page before may not be gone yet
    page.browser.get("about:blank")
    page.until(lambda: page.tracker.watchers == 0)
    page.browser.back()
    page.until(lambda: page.tracker.watchers == 1)
    page.until(lambda: "images/s" in page.text("rate"))

    # As a tab behind another one.
    page.browser.switch_to.new_window("tab")
    tab = page.browser.current_window_handle
    page.until(lambda: page.tracker.watchers == 0)
    page.browser.close()
    (rest,) = (handle for handle in page.browser.window_handles if handle != tab)
    page.browser.switch_to.window(rest)
    page.until(lambda: page.tracker.watchers == 1)


@pytest.fixture
def wrist(browser: Any, url: str, tracker: Any, until: Any) -> Iterator[Callable[[str], Page]]:
    """Opens the page, with what is to stand behind its address, on a tracker whose one camera has this name."""
    opened = []

    def open_page(fragment: str) -> Page:
        browser.get("about:blank")  # or only the fragment would change
        opened.append(Page(browser, f"{url}/{fragment}", tracker, until))
        return opened[-1]

    tracker.add_camera("wrist")
    tracker.remove_camera("")
    yield open_page
    for page in opened:
        page.close()
    for name in ("wrist", "front"):
        tracker.remove_camera(name)
    tracker.add_camera("")


def looked_at(page: Page) -> str:
    return str(page.browser.execute_script("return shown?.camera"))


def buttons(page: Page) -> list[tuple[str, bool]]:
    """The cameras that there are buttons for, and whether they are pressed."""
    found = page.find("cameras").find_elements(by.TAG_NAME, "button")
    return [(button.text, button.get_attribute("aria-pressed") == "true") for button in found]


def test_a_camera_that_comes_later_does_not_take_the_place_of_another(wrist: Any, tracker: Any) -> None:
    page = wrist("")
    page.click(100, 60)
    page.prompted(1)
    assert looked_at(page) == "wrist" and buttons(page) == []  # an only one needs none

    tracker.add_camera("front")  # before the other one in the list
    page.until(lambda: buttons(page) == [("front", False), ("wrist", True)])
    seen = page.stamp
    page.until(lambda: page.stamp > seen + 3)
    assert looked_at(page) == "wrist" and page.selected is not None
    page.click(200, 60)
    assert [page.asked().camera for _ in range(2)] == ["wrist"] * 2

    page.find("cameras").find_element(by.XPATH, "button[.='front']").click()
    page.until(lambda: buttons(page) == [("front", True), ("wrist", False)])
    page.until(lambda: looked_at(page) == "front")


def test_an_answer_for_a_camera_that_is_no_longer_looked_at_changes_nothing_here(wrist: Any, tracker: Any) -> None:
    """Each camera counts its own ids."""
    page = wrist("")
    tracker.add_camera("front")
    page.until(lambda: buttons(page) == [("front", False), ("wrist", True)])
    tracker.asked.clear()
    tracker.takes = 1.0
    page.click(100, 60)
    page.find("cameras").find_element(by.XPATH, "button[.='front']").click()
    page.until(lambda: looked_at(page) == "front")
    assert page.browser.execute_script("return answers.size") == 1
    page.until(lambda: page.rows and not page.browser.execute_script("return answers.size"))
    tracker.takes = 0.0
    assert page.asked(Prompt.Request).camera == "wrist"
    assert page.selected is None and not page.find("readings").is_displayed()
    assert page.browser.execute_script("return prompted.size") == 0

    page.find("pause").click()  # which is for all cameras
    page.find("cameras").find_element(by.XPATH, "button[.='wrist']").click()
    page.until(lambda: page.text("pause") == "Go on")


def test_the_camera_that_was_chosen_is_looked_at_when_it_comes(wrist: Any, tracker: Any) -> None:
    page = wrist("#front")
    assert looked_at(page) == "wrist"
    tracker.add_camera("front")
    page.until(lambda: buttons(page) == [("front", True), ("wrist", False)])
    page.until(lambda: looked_at(page) == "front")


def test_it_fits_a_telephone(open_browser: Any, url: str, tracker: Any, until: Any) -> None:
    browser = open_browser(width=500, height=900)
    page = Page(browser, url, tracker, until)
    try:
        canvas, aside = page.find("picture"), browser.find_element(by.TAG_NAME, "aside")
        width = browser.execute_script("return innerWidth")
        assert canvas.rect["width"] == pytest.approx(width, abs=2)
        assert aside.rect["y"] >= canvas.rect["y"] + canvas.rect["height"] - 1
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.close()
