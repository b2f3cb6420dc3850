// Rows of numbers less their mean and divided by their spread: what normalising layers are made of.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "autodiff/kernels/rows.hpp"
#include "autodiff/ops/rules.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

namespace {

// These ops are told a = {columns, eps, examples, form}: how many numbers are a row, of how many examples standardize_vjp gives
// the sums apart, and of what the form is made.
enum Form : Size { centred = 1, weighted = 2, biased = 4, of_x = 8, of_weight = 16, of_bias = 32 };

// Rows of `examples` that are `count` numbers, in jobs of at most `together`, by shape alone.
struct Rows {
  Size columns, examples, rows, together, jobs;  // rows and jobs of an example
  Rows(const Size (&a)[4], Size count) : columns(a[0]), examples(a[2]), rows(count / columns / examples) {
    together = std::clamp<Size>((Size{1} << 14) / columns, 32, 512);
    jobs = (rows + together - 1) / together;
  }
  // f(example, its job, first row of all, how many)
  template <class F>
  void run(const F& f) const {
    share_out(examples * jobs, 1, [&](Size first, Size last) {
      for (Size i = first; i < last; ++i) {
        const Size example = i / jobs, job = i % jobs;
        f(example, job, example * rows + job * together, std::min(together, rows - job * together));
      }
    });
  }
};
kernels::Standard standard_of(const Node* n) {
  return {n->a[0], std::bit_cast<double>(n->a[1]), (n->a[3] & centred) != 0};
}

// A weight or a bias, of which there may be one for each example; null where there is none.
struct OfColumns {
  Tensor t;
  const char* at(Size columns, Size example) const {
    if (!t.defined()) return nullptr;
    const Node* n = t.node();
    return n->data + (n->count == columns ? 0 : example * columns * item_size(n->dtype));
  }
};

// Where the cotangents lie in the packed result: x's, then for each job those of the weight, and those of the bias.
struct Packed {
  Size weight, bias, count;
  Packed(const Rows& r, Size form)
      : weight(form & of_x ? r.rows * r.columns : 0),
        bias(weight + (form & of_weight ? r.jobs * r.columns : 0)),
        count(bias + (form & of_bias ? r.jobs * r.columns : 0)) {}
};

}  // namespace

// y = (x - mean x) r w + b,  r = 1 / sqrt(var x + eps), of each row; not centred:  y = x r w + b,  r = 1 / sqrt(mean x^2 + eps)
void compute_standardize(Node* n) {
  const Tensor x = dense(n->in[0]);
  const OfColumns w{n->a[3] & weighted ? dense(n->in[1]) : Tensor()},
      b{n->a[3] & biased ? dense(n->in[n->inputs - 1]) : Tensor()};
  char* out = allocate(n);
  const Rows r(n->a, n->count);
  const Size row = r.columns * item_size(n->dtype);
  r.run([&](Size, Size, Size from, Size count) {
    kernels::standardize_rows(n->dtype, standard_of(n), out + from * row, x.node()->data + from * row,
                              w.at(r.columns, 0), b.at(r.columns, 0), count);
  });
  n->data = out;
}
// A weight that is another for each example is multiplied with afterwards, and so is such a bias added.
Tensor batch_standardize(const Replayed& r) {
  const Source source = r.source();
  const Tensor x = r.all(0);
  const Shape& shape = x.node()->shape;
  Args args = args_of(r.n);
  Node* in[3] = {x.node()};
  int count = 1;
  Tensor later[2];  // weight, bias
  for (int i = 1; i < r.n->inputs; ++i) {
    const Form form = i == 1 && r.n->a[3] & weighted ? weighted : biased;
    if (!r.each[i] && !later[0].defined()) {
      in[count++] = r.in[i].node();
      continue;
    }
    Shape extents = r.in[i].node()->shape;
    if (r.each[i])
      while (extents.rank() < shape.rank()) extents.insert(1, 1);
    later[form == biased] = reshape_to(r.in[i], extents, source);
    args.a[3] &= ~Size{form};
  }
  Tensor y = record(Op::standardize, r.n->dtype, shape, in, count, args, source);
  if (later[0].defined()) y = y * later[0];
  return later[1].defined() ? y + later[1] : y;
}

// The cotangents of x, w and b in one pass, packed; w's and b's as sums of each job's rows.
void compute_standardize_vjp(Node* n) {
  const Tensor g = dense(n->in[0]), x = dense(n->in[1]);
  const OfColumns w{n->a[3] & weighted ? dense(n->in[2]) : Tensor()};
  char* out = allocate(n);
  const Rows r(n->a, g.node()->count);
  const Packed packed(r, n->a[3]);
  const Size item = item_size(n->dtype), row = r.columns * item;
  r.run([&](Size example, Size job, Size from, Size count) {
    char* own = out + example * packed.count * item;
    const auto sums = [&](Form form, Size at) { return n->a[3] & form ? own + at * item + job * row : nullptr; };
    kernels::standardize_vjp_rows(n->dtype, standard_of(n),
                                  {n->a[3] & of_x ? own + (from - example * r.rows) * row : nullptr,
                                   sums(of_weight, packed.weight), sums(of_bias, packed.bias)},
                                  g.node()->data + from * row, x.node()->data + from * row, w.at(r.columns, example),
                                  count);
  });
  n->data = out;
}
Tensor batch_standardize_vjp(const Replayed& r) {
  Tensors held;
  Node* in[3];
  for (int i = 0; i < r.n->inputs; ++i) {
    held.push_back(i == 2 && !r.each[i] && r.in[i].node()->count == r.n->a[0] ? r.in[i] : r.all(i));
    in[i] = held[i].node();
  }
  Args args = args_of(r.n);
  args.a[2] *= r.count;
  return record(Op::standardize_vjp, r.n->dtype, r.shape(), in, r.n->inputs, args, r.source());
}

// z = (x - mean x) r, v = g w:   gx = r (v - mean v - z mean(v z))    gw = sum g z    gb = sum g;   not centred: without mean v
Tensors vjp_standardize(const Step& s) {
  const Tensor x = s.x(), w = s.a(3) & weighted ? s.x(1) : Tensor();
  const Source source = s.source();
  const Size columns = s.a(0);
  const int last = s.n->inputs - 1;  // the bias, where there is one
  Size form = s.a(3) & (centred | weighted);
  if (s.wants(0)) form |= of_x;
  if (w.defined() && s.wants(1)) form |= of_weight;
  if (s.a(3) & biased && s.wants(last)) form |= of_bias;
  const Args args{{columns, s.a(1), 1, form}, {}};
  const Rows r(args.a, x.node()->count);
  const Packed packed(r, form);
  Node* const in[] = {s.g.node(), x.node(), w.node()};
  const Tensor all = record(Op::standardize_vjp, s.n->dtype, {packed.count}, in, w.defined() ? 3 : 2, args, source);
  const auto sums = [&](Size at, const Shape& as) {
    const Tensor parts = reshape_to(slice_at(all, 0, at, 1, r.jobs * columns, source), {r.jobs, columns}, source);
    return reshape_to(sum_over(parts, 0, 1, false, source), as, source);
  };
  Tensors gs;
  gs.push_back(form & of_x ? reshape_to(slice_at(all, 0, 0, 1, x.node()->count, source), x.node()->shape, source)
                           : Tensor());
  if (w.defined()) gs.push_back(form & of_weight ? sums(packed.weight, w.node()->shape) : Tensor());
  if (s.a(3) & biased) gs.push_back(form & of_bias ? sums(packed.bias, s.n->in[last]->shape) : Tensor());
  return gs;
}

// P u = r (u - mean u - z mean(u z)), which is its own transpose, is dz / dx, and leads from v to gx. Of the cotangents u of gx, and
// a and b of gw and gb, of each row:   gg = w P u + a z + b    gw = sum g P u
// gx = P(a g - r (u mean(v z) + v mean(u z))) - z r^2 (mean(u v) - mean u mean v - mean(u z) mean(v z))
Tensors vjp_standardize_vjp(const Step& s) {
  const Source source = s.source();
  const bool about_mean = s.a(3) & centred;
  const Size columns = s.a(0), examples = s.a(2);
  const Rows rows(s.n->a, s.n->in[0]->count);
  const Packed packed(rows, s.a(3));
  const Shape matrices{examples, rows.rows, columns};
  const Tensor g = reshape_to(s.x(0), matrices, source), x = reshape_to(s.x(1), matrices, source),
               h = reshape_to(s.g, {examples, packed.count}, source);
  const auto of_rows = [&](Form form, Size at) {  // what each job's sum got, for each of its rows
    if (!(s.a(3) & form)) return Tensor();
    const Tensor of_jobs = slice_at(h, 1, at, 1, rows.jobs * columns, source);
    const Tensor each = expand_to(reshape_to(of_jobs, {examples, rows.jobs, 1, columns}, source),
                                  {examples, rows.jobs, rows.together, columns}, source);
    return slice_at(reshape_to(each, {examples, rows.jobs * rows.together, columns}, source), 1, 0, 1, rows.rows,
                    source);
  };
  const auto mean_of = [&](const Tensor& t) { return sum_over(t, 2, 3, true, source) / static_cast<double>(columns); };
  const Tensor d = about_mean ? x - mean_of(x) : x, r = rsqrt(mean_of(square(d)) + std::bit_cast<double>(s.a(1))),
               z = d * r;
  const auto project = [&](const Tensor& t) { return r * ((about_mean ? t - mean_of(t) : t) - z * mean_of(t * z)); };
  Tensor w, v = g;
  if (s.a(3) & weighted) {
    w = reshape_to(s.x(2), {s.n->in[2]->count / columns, 1, columns}, source);  // one for all, or one for each example
    v = g * w;
  }
  const Tensor a = of_rows(of_weight, packed.weight), b = of_rows(of_bias, packed.bias);
  Tensor gg, gx, gw;
  const auto add = [](Tensor& to, const Tensor& t) { to = to.defined() ? to + t : t; };
  if (s.a(3) & of_x) {
    const Tensor u = reshape_to(slice_at(h, 1, 0, 1, rows.rows * columns, source), matrices, source), pu = project(u),
                 uz = mean_of(u * z), vz = mean_of(v * z);
    Tensor both = mean_of(u * v) - uz * vz;
    if (about_mean) both = both - mean_of(u) * mean_of(v);
    gg = w.defined() ? w * pu : pu;
    gx = -project(r * (u * vz + v * uz)) - z * square(r) * both;
    if (w.defined()) gw = sum_to(g * pu, w.node()->shape, source);
  }
  if (a.defined()) add(gg, a * z), add(gx, project(a * g));
  if (b.defined()) add(gg, b);
  const auto as_input = [&](const Tensor& t, int i) {
    return t.defined() && s.wants(i) ? reshape_to(t, s.n->in[i]->shape, source) : Tensor();
  };
  Tensors gs{as_input(gg, 0), as_input(gx, 1)};
  if (w.defined()) gs.push_back(as_input(gw, 2));
  return gs;
}

namespace {

Tensor standardized(const char* op, const In& x_in, Size axes, double eps, const In& w_in, const In& b_in, Size form) {
  const Source source = source_of(x_in, op);
  const Located at(source, op);
  Tensor x = floats(operand(x_in, op));
  const int rank = x.node()->shape.rank();
  if (axes < 1 || axes > rank)
    fail(source.named(op), "expected 1 to {} axes of the shape {}, got {}", rank, x.node()->shape, axes);
  if (!(eps >= 0) || std::isinf(eps)) fail(source.named(op), "expected an eps of 0 or more, got {}", eps);
  Shape extents;
  Size columns = 1;
  for (int i = rank - static_cast<int>(axes); i < rank; ++i)
    extents.push_back(x.node()->shape[i]), columns *= x.node()->shape[i];
  Tensor held[3] = {x, {}, {}};
  int count = 1;
  const auto take = [&](const In& t_in, const char* what, Form is) {
    if (!t_in.node() && !t_in.is_number()) return;
    const Tensor t = floats(operand(t_in, op));
    if (!(t.node()->shape == extents))
      fail(source.named(op), "expected a {} of the shape {}, got {}", what, extents, t.node()->shape);
    held[count++] = t;
    form |= is;
  };
  take(w_in, "weight", weighted);
  take(b_in, "bias", biased);
  for (int i = 1; i < count; ++i) held[0] = converted(held[0], meet(held[0], held[i], op, source));
  for (int i = 1; i < count; ++i) held[i] = converted(held[i], held[0].node()->dtype);
  if (x.node()->count == 0) {
    for (int i = 1; i < count; ++i) held[0] = held[0] * held[i];  // of which the slopes are 0
    return held[0];
  }
  Node* const in[] = {held[0].node(), held[1].node(), held[2].node()};
  return record(Op::standardize, held[0].node()->dtype, x.node()->shape, in, count,
                {{columns, std::bit_cast<Size>(eps), 1, form}, {}}, source);
}

}  // namespace

}  // namespace xgrad::engine

namespace xgrad {

Tensor standardize(const In& x, At axes, double eps, const In& weight, const In& bias) {
  return engine::standardized("standardize", x, axes, eps, weight, bias, engine::centred);
}
Tensor divide_by_rms(const In& x, At axes, double eps, const In& weight) {
  return engine::standardized("divide_by_rms", x, axes, eps, weight, Tensor(), 0);
}

}  // namespace xgrad
