"""Which products are nearest to a taste, once comparing it with all of them would take too long?"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from faiss import swig_ptr
from numpy.typing import NDArray

EXACT_COUNT = 10_000
"""Products up to which all are compared: lists save next to nothing there (`planogram bench nearest`)."""

_LISTS_PER_ROOT = 4
"""faiss' guideline: 4 to 16 times the root of the number of vectors."""
_TRAINED_PER_LIST = 64
_LEAST_PROBED, _LISTS_PER_PROBED = 32, 30
"""Lists that are looked at, at least and in proportion, so that more items are not missed for being many."""


def write(
    path: Path, vectors: NDArray[np.float32], popularity: NDArray[np.float32], rows: NDArray[np.int64]
) -> None:
    """Writes an index over some items: inverted lists by the inner product of vector and popularity.

    Args:
        vectors: (N, D) of all items.
        popularity: (N,) what it adds to the cosine.
        rows: (P,) of the items to hold.
    """
    points = np.column_stack((vectors[rows], popularity[rows])).astype(np.float32)
    width = points.shape[1]
    list_count = int(_LISTS_PER_ROOT * np.sqrt(len(rows)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, list_count, faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid = _TRAINED_PER_LIST
    index.cp.min_points_per_centroid = 1
    index.train(points)
    index.add_with_ids(points, rows)
    faiss.write_index(index, str(path))


def read(path: Path) -> faiss.Index:
    """The index of a file, which stays on disk and is mapped."""
    faiss.omp_set_num_threads(1)  # a search is shorter than waking a thread for it
    # Plain IO_FLAG_MMAP would lock and prefetch list by list, 50 times as slow.
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


class Neighbours:
    """An index, and which of its items may be found now."""

    def __init__(self, index: faiss.Index, is_allowed: NDArray[np.bool_]) -> None:
        """
        Args:
            is_allowed: (N,) by row.
        """
        self.index = index
        # faiss keeps pointers, so what they point to lives as long as this.
        self._bits = np.packbits(is_allowed, bitorder="little")
        self._selector = faiss.IDSelectorBitmap(self._bits)
        probe_count = max(_LEAST_PROBED, index.nlist // _LISTS_PER_PROBED)
        self._options = faiss.SearchParametersIVF(sel=self._selector, nprobe=probe_count)

    def nearest(self, taste: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Rows of the items that are nearest, best first; perhaps fewer than wanted.

        Args:
            taste: (D,) unit length.
        """
        point = np.empty(len(taste) + 1, np.float32)
        point[:-1], point[-1] = taste, 1
        scores, found = np.empty(count, np.float32), np.empty(count, np.int64)
        # What `search` calls, without its checks of many points at once, which take as long as the search.
        self.index.search_c(1, swig_ptr(point), count, swig_ptr(scores), swig_ptr(found), self._options)
        return found if found[-1] >= 0 else found[found >= 0]
