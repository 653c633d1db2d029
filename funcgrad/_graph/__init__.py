"""The computation graph for people: data, pictures, a page that steps."""

from ._build import graph as graph
from ._edges import Edge as Edge
from ._model import Graph as Graph
from ._model import Node as Node
from ._pictures import Picture as Picture
