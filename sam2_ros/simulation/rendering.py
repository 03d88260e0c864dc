"""Renders colour, depth and labels of a MuJoCo scene off screen."""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray


class RenderingUnavailable(RuntimeError):
    """The machine lacks what rendering off screen needs; the message says what to install."""


def _window(width: int, height: int) -> Any:
    """An OpenGL context by EGL, which needs no display; by what MUJOCO_GL names where that is set."""
    if os.environ.get("MUJOCO_GL"):
        return mujoco.GLContext(width, height)
    from mujoco.egl import GLContext

    return GLContext(width, height)


class Renderer:
    """Draws the first camera of a model. All calls must come from the thread that made it: so OpenGL wants it."""

    def __init__(self, model: mujoco.MjModel, geom_labels: NDArray[np.uint8], width: int, height: int) -> None:
        """geom_labels: (geoms,) the label of each geom of the model, 0 for none of interest.

        Raises RenderingUnavailable where the machine cannot.
        """
        self._model = model
        # Geoms are drawn in the colour of their index plus one, whose lowest byte is the red channel.
        if model.ngeom > 254:
            raise ValueError(f"a scene of {model.ngeom} geoms: there must be at most 254 to tell them apart")
        self._label_of_red = np.zeros(256, np.uint8)
        self._label_of_red[1 : model.ngeom + 1] = geom_labels
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        try:
            self._window = _window(width, height)
            self._window.make_current()
            self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        # ArgumentError is PyOpenGL's, where EGL is installed and OpenGL is not.
        except (ImportError, AttributeError, ctypes.ArgumentError, OSError, RuntimeError, mujoco.FatalError) as error:
            raise RenderingUnavailable(
                f"cannot render {width}x{height} pixels off screen ({error}): install EGL and OpenGL, on Debian and "
                "Ubuntu by 'apt-get install libegl1 libgl1-mesa-dri libopengl0', or if they are installed choose fewer "
                "pixels"
            ) from error
        self._free = weakref.finalize(self, _free, self._window, self._context)
        self._free.atexit = False
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR.value
        self._scene = mujoco.MjvScene(model, maxgeom=model.ngeom + 10)
        self._options = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED.value
        self._camera.fixedcamid = 0

    def render(
        self, data: mujoco.MjData, *, depth: bool = True
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
        """Two passes: colour with shadows and smooth edges; then labels and depth together, so that they agree.

        Returns the image (H, W, 3) RGB, depth (H, W) in metres along the optical axis, and labels (H, W). Without
        depth its array is empty, (0, 0).
        """
        self._window.make_current()
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self._model, data, self._options, None, self._camera, everything, self._scene)
        shape = (self._rectangle.height, self._rectangle.width)
        image = np.empty((*shape, 3), np.uint8)
        self._draw(False, image, None)
        coded = np.empty((*shape, 3), np.uint8)
        raw = np.empty(shape if depth else (0, 0), np.float32)
        self._draw(True, coded, raw if depth else None)
        # OpenGL's first row is the lowest.
        labels = self._label_of_red[coded[::-1, :, 0]]
        return np.ascontiguousarray(image[::-1]), self._metres(raw[::-1]), labels

    def _draw(self, ids: bool, image: NDArray[np.uint8], depth: NDArray[np.float32] | None) -> None:
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT.value] = ids
        self._scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR.value] = ids
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        mujoco.mjr_readPixels(image, depth, self._rectangle, self._context)

    def _metres(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undoes OpenGL's projection; the buffer holds 1 at the near plane and 0 at the far one."""
        extent = self._model.stat.extent
        near, far = self._model.vis.map.znear * extent, self._model.vis.map.zfar * extent
        metres: NDArray[np.float64] = near * far / (near + raw.astype(np.float64) * (far - near))
        return metres.astype(np.float32)

    def close(self) -> None:
        self._free()


def _free(window: Any, context: mujoco.MjrContext) -> None:
    # Of what is current: another one's, if that was drawn last.
    window.make_current()
    context.free()
    window.free()
