"""The public names of the explorer and the modules that define them, as in `nca/__init__.pyi`."""

from .live.controls import LiveExplorer as LiveExplorer
from .live.controls import explore as explore
from .live.controls import rerun as rerun
from .live.widget import Explorer as Explorer
from .sound import encode as encode
from .views import View as View
