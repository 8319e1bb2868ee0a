"""Which items could stand in a module, source by source?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from planogram.feature.v1 import feature_pb2
from services.feature.items.generation import ARTICLE, SUBSTITUTE_COSINE, Generation
from services.feature.pages.placing import ANY_PLACE, NO_PLACE, Placed, Shelf, Stock, placed
from services.feature.shoppers.taste import Taste

Rows = NDArray[np.int32]

_NONE: Rows = np.zeros(0, np.int32)
_NO_ROWS: NDArray[np.int64] = np.zeros(0, np.int64)
_LOWEST = np.finfo(np.float32).min
_WORTHY_COUNT = 64
"""Products worth most to a shopper that are kept: for a module of 40, and for what is sold out by then."""
_LIKED_COUNT = 4
"""Categories liked most, of which the bestsellers are looked at."""
_SPARE = 16
"""Companions looked at for each that is wanted: some are substitutes, some are sold out."""


class ModuleQuery(NamedTuple):
    """What one module asks for."""

    module_id: str
    source: int
    limit: int
    category: str = ""
    item_ids: tuple[str, ...] = ()
    """Of a list, all there is; of other sources, what comes first."""


class Visit(Struct, frozen=True):
    """What candidates depend on besides the module: the page and the shopper. D width."""

    now_s: float
    is_settled: bool = False
    """Whether the catalogue has no item that is still to come by then."""
    item_row: int = -1
    cart_rows: Sequence[int] = ()
    query: str = ""
    looked_rows: Rows = _NONE
    """Items looked at, newest first, -1 where unknown; they may repeat."""
    bought_rows: Rows = _NONE
    """Items bought and kept, last bought first, known ones only."""
    taste: Taste | None = None
    """None where nothing is known."""
    worthy_rows: Rows = _NONE
    """Products worth most to the shopper, as `worth_most` finds them; empty where nobody looked."""
    category_affinities: Mapping[str, float] = {}
    """Strongest first."""


def candidates(generation: Generation, query: ModuleQuery, visit: Visit) -> Rows:
    """Rows of a module's candidates, best first, at most its limit, none twice.

    Only items that are active, in stock and in the catalogue by the time of the page; only products,
    except for the sources of articles and of the caller's list.
    """
    return _placed(generation, visit, _NO_ROWS, [_found(generation, query, visit)]).rows.astype(np.int32)


def place(
    generation: Generation, modules: Sequence[ModuleQuery], visit: Visit, first: NDArray[np.int64] = _NO_ROWS
) -> Placed:
    """The candidates of several modules, behind rows that come first on their page."""
    common, shelves = common_sources(generation, visit), []
    for query in modules:
        words = visit.query if query.source == feature_pb2.CANDIDATE_SOURCE_SEARCH else ""
        if query.source in common or (words and visit.is_settled):
            key = (query.source, words, query.category, query.limit, query.item_ids)
            rows = generation.candidates.once(key, partial(candidates, generation, query, visit))
            shelves.append(Shelf(rows, query.limit, is_of_any_kind=True))
        else:
            shelves.append(_found(generation, query, visit))
    return _placed(generation, visit, first, shelves)


def common_sources(generation: Generation, visit: Visit) -> frozenset[int]:
    """Sources whose candidates are the same on every page: those of most modules of most pages."""
    if not visit.is_settled:
        return frozenset()
    return _COMMON_TO_ARTICLES if _is_about_article(generation, visit) else _COMMON


def _found(generation: Generation, query: ModuleQuery, visit: Visit) -> Shelf:
    """What a module's source finds, whether or not it may stand there."""
    rows = SOURCES[query.source](generation, query, visit)
    if query.item_ids and query.source != feature_pb2.CANDIDATE_SOURCE_LIST:
        rows = np.concatenate((_list(generation, query, visit), rows))
    only = generation.category_place.get(query.category, NO_PLACE) if query.category else ANY_PLACE
    return Shelf(rows, query.limit, only, query.source in _OF_ANY_KIND)


def _placed(
    generation: Generation, visit: Visit, first: NDArray[np.int64], shelves: Sequence[Shelf]
) -> Placed:
    columns = generation.columns
    stock = Stock(
        generation.is_shown, generation.is_product_shown, columns.category, columns.first_seen_unix_s
    )
    return placed(first, shelves, stock, np.inf if visit.is_settled else visit.now_s)


def _ranked(name: str) -> Callable[[Generation, ModuleQuery, Visit], Rows]:
    def of(generation: Generation, query: ModuleQuery, _: Visit) -> Rows:
        if not query.category:
            return generation.ranked[name].of(0)
        place = generation.category_place.get(query.category)
        return _NONE if place is None else generation.ranked[name].of(place + 1)

    return of


_bestsellers = _ranked("bestsellers")


def _deals(generation: Generation, query: ModuleQuery, visit: Visit) -> Rows:
    rows = _ranked("deals")(generation, query, visit)
    return rows[generation.discount[rows] > 0]


def _recently_viewed(generation: Generation, _: ModuleQuery, visit: Visit) -> Rows:
    others: Rows = visit.looked_rows[visit.looked_rows != visit.item_row]
    return others


def _buy_again(generation: Generation, _: ModuleQuery, visit: Visit) -> Rows:
    return visit.bought_rows


def _for_you(generation: Generation, query: ModuleQuery, visit: Visit) -> Rows:
    if visit.taste is None:
        return _trending_by_affinity(generation, query, visit)
    known = visit.worthy_rows
    if not query.category and visit.is_settled and generation.is_product_shown[known].sum() >= query.limit:
        return known
    return _by_worth(generation, query, visit, visit.taste)


def worth_most(generation: Generation, taste: Taste, bought_rows: Rows) -> Rows:
    """The products in stock that are worth most to a shopper, best first, as many as pages may want.

    Args:
        bought_rows: known rows alone.
    """
    query = ModuleQuery("", feature_pb2.CANDIDATE_SOURCE_FOR_YOU, _WORTHY_COUNT)
    visit = Visit(generation.newest_s, is_settled=True, bought_rows=bought_rows)
    rows = _by_worth(generation, query, visit, taste)
    return rows[generation.is_product_shown[rows]][:_WORTHY_COUNT]


def _by_worth(generation: Generation, query: ModuleQuery, visit: Visit, taste: Taste) -> Rows:
    """What is nearest to the taste, and what sells best, also of what is liked; by worth to the shopper.

    The most that a page may want are looked at for the fewest as well, so that these are the first of those.
    """
    count = max(query.limit, _WORTHY_COUNT)
    bestsellers = _bestsellers(generation, query, visit)
    parts = [_nearest(generation, query, visit, taste.vector, count), bestsellers[: 2 * count]]
    if not query.category:
        index, place = generation.ranked["bestsellers"], generation.category_place
        liked = [name for name in taste.category_shares if name in place][:_LIKED_COUNT]
        parts += [index.of(place[name] + 1)[:count] for name in liked]
    return taste.best_first(
        np.concatenate(parts),
        visit.bought_rows,  # which have a module of their own
        generation.demand,
        generation.columns.category,
        generation.columns.item_vector,
        generation.category_place,
    )


def _nearest(
    generation: Generation, query: ModuleQuery, visit: Visit, taste: NDArray[np.float32], count: int
) -> Rows:
    if generation.neighbours is not None and not query.category and visit.is_settled:
        found = generation.neighbours.nearest(taste, count + len(visit.bought_rows))
        if len(found) >= count:
            return found.astype(np.int32)
    return _nearest_of_all(generation, query, visit, taste, count)


def _nearest_of_all(
    generation: Generation, query: ModuleQuery, visit: Visit, taste: NDArray[np.float32], count: int
) -> Rows:
    columns = generation.columns
    scores = taste @ generation.vectors_by_width
    scores += generation.appeal
    scores[visit.bought_rows] = -np.inf
    if query.category and query.category in generation.category_place:
        scores[columns.category != generation.category_place[query.category]] = -np.inf
    if not visit.is_settled:
        scores[columns.first_seen_unix_s > visit.now_s] = -np.inf
    count = min(len(scores), count)
    if not count:
        return _NONE
    # Far cheaper than an order of all: the score of the last one first, then what comes up to it.
    least = max(np.partition(scores, -count)[-count], _LOWEST)
    top = np.flatnonzero(scores >= least)
    ordered: Rows = top[np.argsort(-scores[top], kind="stable")].astype(np.int32)
    return ordered


def _trending_by_affinity(generation: Generation, query: ModuleQuery, visit: Visit) -> Rows:
    """Trending items of the categories liked, in turns; without any, the bestsellers of each category."""
    names = [name for name in visit.category_affinities if name in generation.category_place]
    if query.category:
        return _ranked("trending" if names else "bestsellers")(generation, query, visit)
    index = generation.ranked["trending" if names else "bestsellers"]
    places = [generation.category_place[name] for name in names] or range(len(generation.categories))
    return _in_turns([index.of(place + 1)[: 4 * query.limit].tolist() for place in places])


def _similar(generation: Generation, _: ModuleQuery, visit: Visit) -> Rows:
    if visit.item_row < 0:
        return _NONE
    rows: Rows = generation.columns.similar[visit.item_row]
    return rows


def _bought_together(generation: Generation, query: ModuleQuery, visit: Visit) -> Rows:
    """Companions of the page's item and of the cart, without substitutes for any of them."""
    anchors = list(dict.fromkeys(row for row in (visit.item_row, *visit.cart_rows) if row >= 0))
    if not anchors:
        return _NONE
    if len(anchors) == 1:  # the snapshot holds no substitutes for the item itself, but those bought with it
        alone: Rows = generation.columns.companions[anchors[0]]
        return alone[: _SPARE * query.limit]
    companions = generation.columns.companions[anchors]
    # The best of each anchor first, then the second of each, and so on.
    found = _distinct(companions.T.ravel().tolist(), but=(-1, *anchors))[: _SPARE * query.limit]
    vectors = generation.vectors(np.array(anchors, np.int32))
    is_near = generation.vectors(found) @ vectors.T >= SUBSTITUTE_COSINE
    at, anchor = np.nonzero(is_near)
    is_companion = (companions[anchor] == found[at, None]).any(axis=1)
    kept: Rows = np.delete(found, at[~is_companion])
    return kept


def _articles(generation: Generation, query: ModuleQuery, visit: Visit) -> Rows:
    """Articles by rank; on the page of one, those nearest to it."""
    ranked = _ranked("articles")(generation, query, visit)
    if not _is_about_article(generation, visit):
        return ranked
    others = ranked[ranked != visit.item_row]
    nearness = generation.vectors(others) @ generation.columns.item_vector[visit.item_row]
    nearest: Rows = others[np.argsort(-nearness, kind="stable")]
    return nearest


def _is_about_article(generation: Generation, visit: Visit) -> bool:
    return visit.item_row >= 0 and bool(generation.columns.kind[visit.item_row] == ARTICLE)


def _search(generation: Generation, _: ModuleQuery, visit: Visit) -> Rows:
    return generation.search.search(visit.query) if visit.query else _NONE


def _list(generation: Generation, query: ModuleQuery, _: Visit) -> Rows:
    return generation.rows_of(query.item_ids)


def _distinct(rows: Iterable[int], but: Iterable[int] = ()) -> Rows:
    """Rows in their order, each once."""
    found = dict.fromkeys(rows)
    for row in but:
        found.pop(row, None)
    return np.array(list(found), np.int32)


def _in_turns(lists: Sequence[Sequence[int]]) -> Rows:
    return np.array(list(chain.from_iterable(zip_longest(*lists, fillvalue=-1))), np.int32)


_OF_ANY_KIND = frozenset((feature_pb2.CANDIDATE_SOURCE_ARTICLES, feature_pb2.CANDIDATE_SOURCE_LIST))
_COMMON = frozenset(
    (
        feature_pb2.CANDIDATE_SOURCE_BESTSELLERS,
        feature_pb2.CANDIDATE_SOURCE_TRENDING,
        feature_pb2.CANDIDATE_SOURCE_NEW_ARRIVALS,
        feature_pb2.CANDIDATE_SOURCE_DEALS,
        feature_pb2.CANDIDATE_SOURCE_SPONSORED,
        feature_pb2.CANDIDATE_SOURCE_ARTICLES,
    )
)
_COMMON_TO_ARTICLES = _COMMON - {feature_pb2.CANDIDATE_SOURCE_ARTICLES}
SOURCES: Mapping[int, Callable[[Generation, ModuleQuery, Visit], Rows]] = {
    feature_pb2.CANDIDATE_SOURCE_RECENTLY_VIEWED: _recently_viewed,
    feature_pb2.CANDIDATE_SOURCE_FOR_YOU: _for_you,
    feature_pb2.CANDIDATE_SOURCE_SIMILAR: _similar,
    feature_pb2.CANDIDATE_SOURCE_BOUGHT_TOGETHER: _bought_together,
    feature_pb2.CANDIDATE_SOURCE_BESTSELLERS: _bestsellers,
    feature_pb2.CANDIDATE_SOURCE_TRENDING: _ranked("trending"),
    feature_pb2.CANDIDATE_SOURCE_NEW_ARRIVALS: _ranked("new_arrivals"),
    feature_pb2.CANDIDATE_SOURCE_DEALS: _deals,
    feature_pb2.CANDIDATE_SOURCE_BUY_AGAIN: _buy_again,
    feature_pb2.CANDIDATE_SOURCE_SEARCH: _search,
    feature_pb2.CANDIDATE_SOURCE_SPONSORED: _ranked("sponsored"),
    feature_pb2.CANDIDATE_SOURCE_ARTICLES: _articles,
    feature_pb2.CANDIDATE_SOURCE_LIST: _list,
}
