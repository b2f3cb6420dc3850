// Tensors as NumPy prints them, and the tape as a person would write it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <unordered_map>

#include <xgrad/autodiff/tape.hpp>
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/record.hpp"
#include "autodiff/engine/strided.hpp"
#include "autodiff/engine/walk.hpp"

namespace xgrad {

namespace {

using engine::Node;

constexpr Size shown_in_full = 1000, edge = 3;  // elements; and how many at each end of an axis where there are more

std::string number(const Node* n, Size i, int precision, char style) {
  const char* at = n->data + i * item_size(n->dtype);
  switch (n->dtype) {
    case DType::boolean: return engine::read_number(n->dtype, at) != 0 ? "true" : "false";
    case DType::i64: {
      Size v;
      std::memcpy(&v, at, sizeof v);
      return fmt::format("{}", v);
    }
    default: {
      const double value = engine::read_number(n->dtype, at);
      if (std::isnan(value)) return "nan";
      std::string s = style == 'f'   ? fmt::format("{:.{}f}", value, precision)
                      : style == 'e' ? fmt::format("{:.{}e}", value, precision)
                                     : fmt::format("{:.{}g}", value, precision);
      if (style == 'g' && s.find_first_of(".en") == std::string::npos) s += '.';
      return s;
    }
  }
}

// Calls f(place, axis, left_out) for each number that is shown: the first axis along which it is not where the number
// before is (-1: there is none), and whether others between the two are left out. A loop, for ranks are the user's.
template <class F>
void each_shown(const Node* n, const F& f) {
  const bool all = n->count <= shown_in_full;
  const int rank = n->shape.rank();
  const Size* extent = n->shape.data();
  Shape steps, indices;
  steps.resize(rank);
  indices.resize(rank);
  Size *step = steps.data(), *index = indices.data(), place = 0;
  for (int k = rank - 1; k >= 0; --k) step[k] = k == rank - 1 ? 1 : step[k + 1] * extent[k + 1];
  bool left_out = false;
  for (int axis = -1;;) {
    f(place, axis, left_out);
    for (axis = rank - 1; axis >= 0; --axis) {
      left_out = !all && extent[axis] > 2 * edge && index[axis] == edge - 1;
      const Size next = left_out ? extent[axis] - edge : index[axis] + 1;
      if (next < extent[axis]) {
        place += (next - index[axis]) * step[axis];
        index[axis] = next;
        break;
      }
      place -= index[axis] * step[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

}  // namespace

std::string to_string(const Tensor& t) { return to_string(t, 6); }

std::string to_string(const Tensor& t, int precision, char style) try {
  if (!t.defined()) return "(empty)";
  if (t.node()->has(engine::traced)) return fmt::format("(one example, {} {})", name(t.node()->dtype), t.node()->shape);
  engine::evaluate(t.node());
  const Tensor numbers = engine::dense(t.node());
  const Node* n = numbers.node();
  const int rank = n->shape.rank();
  if (n->count == 0) return rank == 1 ? "[]" : fmt::format("[] of shape {}", n->shape);
  const auto text = [&](Size place) {
    return number(n, place, std::clamp(precision, style == 'g' ? 1 : 0, 17), style);
  };
  std::size_t width = 0;
  each_shown(n, [&](Size place, int, bool) { width = std::max(width, text(place).size()); });
  std::string out;
  const auto put = [&](int count, char c) { out.append(static_cast<std::size_t>(count), c); };
  each_shown(n, [&](Size place, int axis, bool left_out) {
    const auto separate = [&] {
      out += axis == rank - 1 ? ", " : ",\n";
      if (axis < rank - 1) put(axis + 1, ' ');
    };
    if (axis >= 0) {
      put(rank - 1 - axis, ']');
      separate();
      if (left_out) {
        out += "...";
        separate();
      }
    }
    put(rank - 1 - axis, '[');
    const std::string shown = text(place);
    out.append(width - shown.size(), ' ');
    out += shown;
  });
  put(rank, ']');
  return out;
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "to_string");
}

std::string tape(const Tensor& y, Source source) try {
  if (!y.defined()) fail(engine::source_of(source, "tape"), "expected a tensor, got an empty one");
  engine::ThreadState& t = engine::current();
  Node* root = y.node();
  std::vector<Node*> nodes;
  engine::walk(
      t, &root, 1, [&](Node* n) { return n->has(engine::taped) && n->home == &t; }, nodes);
  if (nodes.empty()) nodes.push_back(root);
  std::vector<const Node*> named;  // values from outside come first, as they are met
  std::unordered_map<const Node*, std::size_t> place;
  for (const Node* n : nodes) place[n] = 0;
  for (std::size_t i = nodes.size(); i-- > 0;)
    for (int k = 0; k < nodes[i]->inputs; ++k) {
      const Node* x = nodes[i]->input(k);
      const bool literal = x->op == engine::Op::leaf && x->shape.empty() && !x->variable;
      if (!literal && place.try_emplace(x, 0).second) named.push_back(x);
    }
  const std::size_t outside = named.size();
  named.insert(named.end(), nodes.rbegin(), nodes.rend());
  for (std::size_t i = 0; i < named.size(); ++i) place[named[i]] = i;
  const auto label = [&](const Node* n) -> std::string {
    const auto at = place.find(n);
    if (at == place.end()) return fmt::format("{:g}", engine::read_number(n->dtype, n->data));
    return fmt::format("%{}", at->second + 1);
  };
  std::string out;
  for (std::size_t i = 0; i < named.size(); ++i) {
    Node* n = const_cast<Node*>(named[i]);
    std::string shape = to_string(n->shape);
    shape = n->shape.rank() == 1 ? fmt::format("{}", n->shape[0]) : shape.substr(1, shape.size() - 2);
    std::string line = fmt::format("%{} {}[{}] = ", i + 1, name(n->dtype), shape);
    if (i < outside || n->op == engine::Op::leaf) {
      line += n->variable ? "parameter" : "value";
    } else {
      line += engine::rule(n->op).name;
      for (int k = 0; k < n->inputs; ++k) line += fmt::format("{}{}", k == 0 ? "(" : ", ", label(n->input(k)));
      line += ')';
    }
    if (n->file) {
      const char* slash = std::strrchr(n->file, '/');
      line.append(line.size() < 50 ? 50 - line.size() : 2, ' ');
      line += fmt::format("{}:{}", slash ? slash + 1 : n->file, n->line);
    }
    out += line + '\n';
  }
  return out;
} catch (const std::bad_alloc&) {
  fail_no_memory(engine::source_of(source), "tape");
}

void print_tape(const Tensor& y, Source source) { fmt::print("{}", tape(y, source)); }

}  // namespace xgrad

fmt::appender fmt::formatter<xgrad::Tensor>::format(const xgrad::Tensor& t, fmt::format_context& context) const {
  return fmt::format_to(context.out(), "{}", xgrad::to_string(t, precision, style));
}
void fmt::formatter<xgrad::Tensor>::refuse(const char* why) { throw fmt::format_error(why); }
fmt::appender fmt::formatter<xgrad::DType>::format(xgrad::DType t, fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(xgrad::name(t), context);
}
fmt::appender fmt::formatter<xgrad::Shape>::format(const xgrad::Shape& s, fmt::format_context& context) const {
  return fmt::format_to(context.out(), "{}", xgrad::to_string(s));
}
