#include <xgrad/data/splits.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <numeric>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/data/random.hpp>
#include "data/checks.hpp"

namespace xgrad::data {
namespace {

using Rows = std::vector<Size>;

// Fisher and Yates; Durstenfeld 1964
void shuffle(Rows& rows, Random& random) {
  for (auto i = static_cast<Size>(rows.size()); i-- > 1;)
    std::swap(rows[static_cast<std::size_t>(i)], rows[static_cast<std::size_t>(random.below(i + 1))]);
}

Rows in_order(Size n) {
  Rows rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), Size{0});
  return rows;
}

// The rows of each class, in their order.
std::vector<Rows> by_class(const char* op, const Tensor& of, const Rows& order, Source source) {
  if (of.dtype() != i64 || of.dim() != 1)
    fail(
        source.named(op),
        "expected i64 labels [n] to stratify by, got {} {}; give classes as i64 [n], of several tensors as the last, or "
        "leave .stratified out",
        name(of.dtype()), of.shape());
  const Rows labels = of.to_vector<Size>(source.named(op));
  std::map<Size, Rows> classes;
  for (const Size row : order) classes[labels[static_cast<std::size_t>(row)]].push_back(row);
  std::vector<Rows> list;
  list.reserve(classes.size());
  for (auto& [label, rows] : classes) list.push_back(std::move(rows));
  return list;
}

// How many of each class: part n_c, rounded so that the sum is `all`: those with the greatest remainders get one more.
std::vector<Size> shares(const std::vector<Rows>& classes, double part, Size all) {
  std::vector<Size> share;
  std::vector<std::pair<double, std::size_t>> rest;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const double exact = part * static_cast<double>(classes[c].size());
    share.push_back(static_cast<Size>(exact));
    rest.push_back({std::floor(exact) - exact, c});
  }
  std::stable_sort(rest.begin(), rest.end());
  Size given = std::accumulate(share.begin(), share.end(), Size{0});
  for (std::size_t i = 0; given < all && i < rest.size(); ++i, ++given) ++share[rest[i].second];
  return share;
}

// Which rows are for training, and which are not.
struct Chosen {
  Rows train, test;
};

Chosen chosen_at_random(const char* op, Size n, const Tensor& labels, const SplitOptions& options, Source source) {
  if (!(options.train >= 0 && options.train <= 1))
    fail(source.named(op), "expected a part of the rows between 0 and 1, got {}", options.train);
  Random random = Random::from(options.seed);
  Rows order = in_order(n);
  shuffle(order, random);
  const Size count = std::llround(options.train * static_cast<double>(n));
  if (!options.stratified)
    return {Rows(order.begin(), order.begin() + count), Rows(order.begin() + count, order.end())};
  Chosen chosen;
  const std::vector<Rows> classes = by_class(op, labels, order, source);
  const std::vector<Size> share = shares(classes, options.train, count);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    chosen.train.insert(chosen.train.end(), classes[c].begin(), classes[c].begin() + share[c]);
    chosen.test.insert(chosen.test.end(), classes[c].begin() + share[c], classes[c].end());
  }
  shuffle(chosen.train, random);
  shuffle(chosen.test, random);
  return chosen;
}

std::vector<Chosen> chosen_folds(const char* op, Size n, const Tensor& labels, const FoldOptions& options,
                                 Source source) {
  const Size folds = options.folds;
  if (folds < 2 || folds > n)
    fail(source.named(op), "expected 2 ... {} folds, one for each row at most, got {}", n, folds);
  Rows order = in_order(n);
  if (options.shuffle) {
    Random random = Random::from(options.seed);
    shuffle(order, random);
  }
  std::vector<Size> fold_of(static_cast<std::size_t>(n));
  if (options.stratified) {  // dealt like cards, class after class
    Size next = 0;
    for (const Rows& of_class : by_class(op, labels, order, source))
      for (const Size row : of_class) fold_of[static_cast<std::size_t>(row)] = next++ % folds;
  } else {
    for (Size i = 0; i < n; ++i)  // the first n % folds have one more
      fold_of[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] =
          i < (n % folds) * (n / folds + 1) ? i / (n / folds + 1) : (i - n % folds) / (n / folds);
  }
  std::vector<Chosen> list(static_cast<std::size_t>(folds));
  for (Size fold = 0; fold < folds; ++fold)
    for (const Size row : order) {
      Chosen& to = list[static_cast<std::size_t>(fold)];
      (fold_of[static_cast<std::size_t>(row)] == fold ? to.test : to.train).push_back(row);
    }
  return list;
}

// How many rows all of the tensors have.
Size checked_rows_of(const char* op, const Tensors& whole, Source source) {
  if (whole.empty()) fail(source.named(op), "expected one tensor or more, got none");
  for (const Tensor& t : whole) {
    if (!t.defined()) fail(source.named(op), "one of the tensors is empty");
    if (t.dim() == 0 || t.size(0) != whole[0].size(0))
      fail(source.named(op), "expected as many rows of each tensor, got the shapes {} and {}", whole[0].shape(),
           t.shape());
  }
  return whole[0].size(0);
}

Split parts(const Dataset& whole, const Chosen& c, Source source) {
  return {.train = rows(whole, tensor(c.train), source), .test = rows(whole, tensor(c.test), source)};
}
Parts parts(const Tensors& whole, const Chosen& c, Source source) {
  return {.train = rows_of(whole, tensor(c.train), source), .test = rows_of(whole, tensor(c.test), source)};
}

}  // namespace

Dataset rows(const Dataset& whole, const Tensor& index, Source source) {
  const Located at(source, "rows");
  checked_rows("rows", whole, source);
  return {index_select(whole.inputs, 0, index), index_select(whole.labels, 0, index)};
}

Tensors rows_of(const Tensors& whole, const Tensor& index, Source source) {
  const Located at(source, "rows");
  checked_rows_of("rows", whole, source);
  Tensors picked;
  for (const Tensor& t : whole) picked.push_back(index_select(t, 0, index));
  return picked;
}

Split split_random(const Dataset& whole, SplitOptions options, Source source) {
  return with_memory("split_random", source, [&] {
    const Size n = checked_rows("split_random", whole, source);
    return parts(whole, chosen_at_random("split_random", n, whole.labels, options, source), source);
  });
}
Parts split_random_of(const Tensors& whole, SplitOptions options, Source source) {
  return with_memory("split_random", source, [&] {
    const Size n = checked_rows_of("split_random", whole, source);
    return parts(whole, chosen_at_random("split_random", n, whole[whole.size() - 1], options, source), source);
  });
}

std::vector<Split> k_fold(const Dataset& whole, FoldOptions options, Source source) {
  return with_memory("k_fold", source, [&] {
    const Size n = checked_rows("k_fold", whole, source);
    std::vector<Split> list;
    for (const Chosen& fold : chosen_folds("k_fold", n, whole.labels, options, source))
      list.push_back(parts(whole, fold, source));
    return list;
  });
}
std::vector<Parts> k_fold_of(const Tensors& whole, FoldOptions options, Source source) {
  return with_memory("k_fold", source, [&] {
    const Size n = checked_rows_of("k_fold", whole, source);
    std::vector<Parts> list;
    for (const Chosen& fold : chosen_folds("k_fold", n, whole[whole.size() - 1], options, source))
      list.push_back(parts(whole, fold, source));
    return list;
  });
}

}  // namespace xgrad::data
