#include <xgrad/nn/layers/embedding.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/autodiff/vmap.hpp>

#include "nn/layers/made.hpp"
#include "nn/noted.hpp"

namespace xgrad::nn {
namespace {

template <class Options>
Parameter table(const char* layer, Size count, Size width, Options& o, Source source) {
  require_sizes(layer, "a count and a width", {count, width}, source);
  require_float(layer, o.dtype, source);
  if (o.padding_idx) {
    if (*o.padding_idx < -count || *o.padding_idx >= count)
      fail(source.named(layer), "expected a padding_idx of 0 ... {}, got {}", count - 1, *o.padding_idx);
    if (*o.padding_idx < 0) *o.padding_idx += count;
  }
  if (o.max_norm) require_positive(layer, "a max_norm", *o.max_norm, source);
  if (!(o.norm_type > 0)) fail(source.named(layer), "expected a norm_type above 0, got {}", o.norm_type);
  const Located at(source, layer);
  const LayerStream first;
  Tensor rows = randn({count, width}, o.dtype, source);
  if (o.padding_idx) {
    const Tensor others = unsqueeze(arange(count) != *o.padding_idx, 1);
    rows = where(others, rows, 0.0);
  }
  return Parameter(rows, source);
}

void require_table(const char* layer, const Parameter& weight, const In& index) {
  if (!weight.defined())
    fail(line_of(index).named(layer), "expected a table, got an empty one; give it sizes: {}(count, width)", layer);
}

// Rows that were picked, and are longer than max_norm, get that length where they are: row max_norm / (|row| + 1e-7),
// PyTorch's. All others stay as they are, untouched.
void shorten(const char* layer, const Parameter& weight, const Tensor& index, double max_norm, double norm_type,
             Source source) {
  if (is_example(index) || is_example(weight))
    fail(source.named(layer), "max_norm changes the table, which vmap cannot do for each example");
  const NoGrad constant;
  std::vector<Size> picked = index.to_vector<Size>(source);
  std::sort(picked.begin(), picked.end());
  picked.erase(std::unique(picked.begin(), picked.end()), picked.end());
  const Tensor at = tensor(picked),
               rows = index_select(weight, 0, at);  // here an index that is out of range is an Error
  const Tensor length = norm(rows, norm_type, 1, true);
  const Tensor shorter = contiguous(where(length > max_norm, rows * (max_norm / (length + 1e-7)), rows));
  const auto lengths = cast(length, f64).to_vector<double>();
  const auto bytes = static_cast<std::size_t>(weight.shape()[1] * item_size(weight.dtype()));
  char* numbers = nullptr;
  for (std::size_t i = 0; i < picked.size(); ++i) {
    if (!(lengths[i] > max_norm)) continue;
    if (!numbers) numbers = static_cast<char*>(writable(Parameters::Entry{{}, weight.ref()}));
    std::memcpy(numbers + static_cast<std::size_t>(picked[i]) * bytes,
                static_cast<const char*>(readable(shorter)) + i * bytes, bytes);
  }
}

// The rows at these places, a vector; those of the padding are constants.
template <class Options>
Tensor rows_at(const char* layer, const Parameter& weight, const Tensor& i, const Options& o, Source source) {
  if (o.max_norm) shorten(layer, weight, i, *o.max_norm, o.norm_type, source);
  const Tensor rows = index_select(weight, 0, i);
  return o.padding_idx ? where(unsqueeze(i == *o.padding_idx, 1), rows.detach(), rows) : rows;
}

}  // namespace

Embedding::Embedding(Extent count, Extent width, EmbeddingOptions o, Source source) {
  weight = table("Embedding", count.value, width.value, o, source);
  options = o;
}

Tensor Embedding::operator()(In index) const try {
  const Located at(index, "Embedding");
  require_table("Embedding", weight, index);
  const Source source = line_of(index);
  const Tensor i = static_cast<Tensor>(index);
  if (i.dim() == 1) return noted(weight, rows_at("Embedding", weight, i, options, source));
  Shape shape = i.shape();
  shape.push_back(weight.shape()[1]);
  return noted(weight, reshape(rows_at("Embedding", weight, reshape(i, {-1}), options, source), shape));
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(index), "Embedding");
}

namespace {

// Which bag each index is in, and where each bag begins; one more at the end.
struct Bags {
  std::vector<Size> of_index, begins;
  Size count() const { return static_cast<Size>(begins.size()) - 1; }
  Size length(Size b) const { return begins[static_cast<std::size_t>(b) + 1] - begins[static_cast<std::size_t>(b)]; }
};
Bags bags_of(const Tensor& offsets, Size n, bool include_last, Source source) {
  if (!offsets.defined())
    fail(source.named("EmbeddingBag"),
         "expected offsets with indices [n]: where each bag begins; or indices [bags, n]");
  if (offsets.dim() != 1 || offsets.dtype() != i64)
    fail(source.named("EmbeddingBag"), "expected offsets [bags] of i64, got {} {}", name(offsets.dtype()),
         offsets.shape());
  Bags bags{{}, offsets.to_vector<Size>(source)};
  if (include_last && bags.begins.empty())
    fail(source.named("EmbeddingBag"), "expected {} as the last offset, the number of indices, got no offsets", n);
  if (include_last && bags.begins.back() != n)
    fail(source.named("EmbeddingBag"), "expected {} as the last offset, the number of indices, got {}", n,
         bags.begins.back());
  if (!include_last) bags.begins.push_back(n);
  for (Size b = 0; b < bags.count(); ++b) {
    const Size begin = bags.begins[static_cast<std::size_t>(b)], end = bags.begins[static_cast<std::size_t>(b) + 1];
    if (begin > end || begin < 0 || (b == 0 && begin != 0))
      fail(source.named("EmbeddingBag"),
           "expected offsets that begin with 0 and ascend, to {} at most; bag {} goes from {} to {}", n, b, begin, end);
    bags.of_index.insert(bags.of_index.end(), static_cast<std::size_t>(end - begin), b);
  }
  if (bags.count() == 0 && n > 0) fail(source.named("EmbeddingBag"), "expected an offset, of the first bag, got none");
  return bags;
}

std::vector<bool> filled_of(const Bags& bags) {
  std::vector<bool> filled;
  for (Size b = 0; b < bags.count(); ++b) filled.push_back(bags.length(b) > 0);
  return filled;
}

// [bags, longest]: the places of the rows of these bags; the first again where there are fewer, 0 in an empty bag.
Tensor places_of(const Bags& bags, const std::vector<Size>& these) {
  Size longest = 1;
  for (const Size b : these) longest = std::max(longest, bags.length(b));
  std::vector<Size> places;
  for (const Size b : these) {
    const Size begin = bags.begins[static_cast<std::size_t>(b)], length = bags.length(b);
    for (Size k = 0; k < longest; ++k) places.push_back(length == 0 ? 0 : k < length ? begin + k : begin);
  }
  return tensor(places, {static_cast<Size>(these.size()), longest});
}

// Which of the rows at `places` is the greatest, [bags, width].
Tensor greatest_at(const Tensor& places, const Tensor& rows) {
  const Shape& shape = places.shape();
  const Tensor of_bags = reshape(index_select(rows, 0, reshape(places, {-1})), {shape[0], shape[1], rows.shape()[1]});
  return gather(places, 1, argmax(of_bags, 1));
}

// Likewise of all bags: those whose lengths have as many binary digits together, so that what fills up is less than what is there.
Tensor greatest_of(const Bags& bags, const Tensor& rows) {
  std::vector<std::vector<Size>> alike(64);
  for (Size b = 0; b < bags.count(); ++b)
    alike[static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(std::max<Size>(bags.length(b), 1))))]
        .push_back(b);
  Tensors found;
  std::vector<Size> place(static_cast<std::size_t>(bags.count()));  // of each bag in what is found
  Size next = 0;
  for (const std::vector<Size>& these : alike) {
    if (these.empty()) continue;
    found.push_back(greatest_at(places_of(bags, these), rows));
    for (const Size b : these) place[static_cast<std::size_t>(b)] = next++;
  }
  return found.size() == 1 ? found[0] : index_select(concat(found, 0), 0, tensor(place));
}

}  // namespace

EmbeddingBag::EmbeddingBag(Extent count, Extent width, EmbeddingBagOptions o, Source source) {
  weight = table("EmbeddingBag", count.value, width.value, o, source);
  options = o;
}

Tensor EmbeddingBag::operator()(In index_in, const BagInputs& more) const try {
  const Located at(index_in, "EmbeddingBag");
  require_table("EmbeddingBag", weight, index_in);
  const Source source = line_of(index_in);
  const Tensor index = index_in, &each = more.per_sample_weights;
  if (!index.defined()) fail(source.named("EmbeddingBag"), "expected indices, got an empty tensor");
  const bool matrix = index.dim() == 2;
  if (!matrix && index.dim() != 1)
    fail(source.named("EmbeddingBag"), "expected indices [bags, n] or [n], got the shape {}", index.shape());
  if (matrix && more.offsets.defined())
    fail(source.named("EmbeddingBag"), "indices [bags, n] say themselves where bags begin: leave the offsets out");
  if (each.defined() && options.mode != BagMode::sum)
    fail(source.named("EmbeddingBag"), "per_sample_weights are for the mode sum");
  if (each.defined() && !(each.shape() == index.shape()))
    fail(source.named("EmbeddingBag"), "expected per_sample_weights of the indices' shape {}, got {}", index.shape(),
         each.shape());
  const Size width = weight.shape()[1], n = index.numel();
  const Bags bags = matrix ? Bags() : bags_of(more.offsets, n, options.include_last_offset, source);
  const Size count = matrix ? index.shape()[0] : bags.count();
  const Tensor i = reshape(index, {-1});
  Tensor rows = rows_at("EmbeddingBag", weight, i, options, source);
  const Tensor counted = options.padding_idx ? i != *options.padding_idx : Tensor();
  const auto total = [&](const Tensor& t) {
    return matrix ? sum(reshape(t, {count, index.shape()[1], -1}), 1) : index_add(t, 0, tensor(bags.of_index), count);
  };

  if (options.mode == BagMode::max) {
    if (n == 0 || count == 0) return noted(weight, zeros({count, width}, weight.dtype()) + sum(rows));
    constexpr double least = -std::numeric_limits<double>::infinity();
    const Tensor value = counted.defined() ? where(unsqueeze(counted, 1), rows, least) : rows;
    const Tensor at = matrix ? greatest_at(reshape(arange(n), index.shape()), value) : greatest_of(bags, value);
    const Tensor y = gather(rows, 0, at);
    // has the bag a row that counts?
    const Tensor some = counted.defined() ? total(cast(unsqueeze(counted, 1), i64)) > 0
                        : matrix          ? ones({count, 1}, boolean)
                                          : unsqueeze(tensor(filled_of(bags)), 1);
    return noted(weight, where(some, y, 0.0));
  }

  if (counted.defined()) rows = where(unsqueeze(counted, 1), rows, 0.0);
  if (each.defined()) rows = rows * unsqueeze(reshape(cast(each, weight.dtype()), {-1}), 1);
  const Tensor sums = n == 0 ? zeros({count, width}, weight.dtype()) + sum(rows) : total(rows);
  if (options.mode == BagMode::sum || n == 0) return noted(weight, sums);
  const Tensor ones_of = counted.defined() ? cast(counted, weight.dtype()) : ones({n}, weight.dtype());
  return noted(weight, sums / at_least(total(unsqueeze(ones_of, 1)), 1.0));
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(index_in), "EmbeddingBag");
}

}  // namespace xgrad::nn
