// Tensors as NumPy prints them, and the tape as a person would write it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/record.hpp"
#include "autodiff/engine/strided.hpp"
#include "autodiff/engine/walk.hpp"

namespace xgrad {

namespace {

using engine::Node;

constexpr Size shown_in_full = 1000, edge = 3;  // elements; and how many at each end of an axis where there are more

std::string number(const Node* n, Size i, int precision) {
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
      std::string s = fmt::format("{:.{}g}", value, precision);
      if (s.find_first_of(".en") == std::string::npos) s += '.';
      return s;
    }
  }
}

struct Printer {
  const Node* n;
  int precision;
  bool all;
  std::size_t width = 0;
  std::string out;

  void numbers(int axis, Size at, const auto& f) const {
    const Size extent = n->shape[axis], inner = step(axis);
    for (Size i = 0; i < extent; ++i) {
      if (!all && extent > 2 * edge && i == edge) i = extent - edge;
      f(i, at + i * inner);
    }
  }
  Size step(int axis) const {
    Size s = 1;
    for (int i = axis + 1; i < n->shape.rank(); ++i) s *= n->shape[i];
    return s;
  }
  void measure(int axis, Size at) {
    if (axis == n->shape.rank()) {
      width = std::max(width, number(n, at, precision).size());
      return;
    }
    numbers(axis, at, [&](Size, Size inner) { measure(axis + 1, inner); });
  }
  void print(int axis, Size at) {
    const int rank = n->shape.rank();
    if (axis == rank) {
      const std::string text = number(n, at, precision);
      out.append(width - text.size(), ' ');
      out += text;
      return;
    }
    out += '[';
    Size before = -1;
    numbers(axis, at, [&](Size i, Size inner) {
      const auto separate = [&] {
        if (axis == rank - 1) {
          out += ", ";
        } else {
          out += ",\n";
          out.append(static_cast<std::size_t>(axis) + 1, ' ');
        }
      };
      if (before >= 0) separate();
      if (i != before + 1) {
        out += "...";
        separate();
      }
      print(axis + 1, inner);
      before = i;
    });
    out += ']';
  }
};

}  // namespace

std::string to_string(const Tensor& t) { return to_string(t, 6); }

std::string to_string(const Tensor& t, int precision) {
  if (!t.defined()) return "(empty)";
  engine::evaluate(t.node());
  const Tensor numbers = engine::dense(t.node());
  Printer p{numbers.node(), std::clamp(precision, 1, 17), numbers.node()->count <= shown_in_full, 0, {}};
  if (numbers.node()->count > 0) p.measure(0, 0);
  p.print(0, 0);
  return std::move(p.out);
}

std::string tape(const Tensor& y, Source source) {
  if (!y.defined()) fail(engine::source_of(source), "[tape] expected a tensor, got an empty one");
  engine::Thread& t = engine::current();
  Node* root = y.node();
  std::vector<Node*> nodes;
  engine::walk(t, &root, 1, [&](Node* n) {
    return n->has(engine::taped) && n->home == &t;
  }, nodes);
  if (nodes.empty()) nodes.push_back(root);
  std::vector<const Node*> named;  // values from outside come first, as they are met
  for (std::size_t i = nodes.size(); i-- > 0;)
    for (int k = 0; k < nodes[i]->inputs; ++k) {
      const Node* x = nodes[i]->input(k);
      const bool inside = std::find(nodes.begin(), nodes.end(), x) != nodes.end();
      const bool literal = x->op == engine::Op::leaf && x->shape.empty() && !x->variable;
      if (!inside && !literal && std::find(named.begin(), named.end(), x) == named.end()) named.push_back(x);
    }
  const std::size_t outside = named.size();
  named.insert(named.end(), nodes.rbegin(), nodes.rend());
  const auto label = [&](const Node* n) -> std::string {
    const auto at = std::find(named.begin(), named.end(), n);
    if (at == named.end()) return fmt::format("{:g}", engine::read_number(n->dtype, n->data));
    return fmt::format("%{}", at - named.begin() + 1);
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
}

void print_tape(const Tensor& y, Source source) { fmt::print("{}", tape(y, source)); }

}  // namespace xgrad
