// Attention, a matrix of scores at a time: it is made, used and forgotten in a core's own caches (Rabe & Staats 2021,
// "Self-attention does not need O(n^2) memory"; Dao et al. 2022, "FlashAttention").
#include "autodiff/attention.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "autodiff/kernels/matmul.hpp"
#include "autodiff/kernels/rows.hpp"
#include "autodiff/ops/matrices.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

namespace {

// These ops are told a = {causal, scale, which cotangents are wanted: of q 1, of k 2, of v 4}.
bool causal(const Node* n) { return n->a[0] != 0; }
enum Wanted : Size { of_q = 1, of_k = 2, of_v = 4 };
double scale_of(const Node* n) { return std::bit_cast<double>(n->a[1]); }

Size rows_of(const Node* n) { return n->shape[n->shape.rank() - 2]; }

// An operand, or a result: where its matrices are.
struct Operand {
  Matrices m;
  Shape shape;
  Size item;
  explicit Operand(Node* x) : m(matrices(x, false, false)), shape(x->shape), item(item_size(x->dtype)) {}
  // Row r of matrix i
  const char* at(Size i, Size r) const { return m.data + (place(i, shape, m.strides) + r * m.lead) * item; }
  static Size place(Size i, const Shape& shape, const Shape& strides) {
    Size at = 0;
    for (int axis = shape.rank() - 2; axis-- > 0; i /= shape[axis]) at += i % shape[axis] * strides[axis];
    return at;
  }
};

// A result whose axes lie in the order of the query's: of the query's shape; or of its cotangent, the key's and the value's, either
// below each other, or apart along an axis of its own in front of the matrices. That axis then lies outside of the last two: heads
// that are views of one projection have cotangents that lie beside each other as that projection does.
struct Result {
  Node* n;
  char* data;
  Shape lead_shape, strides;
  Size lead, part[3] = {0, 0, 0}, item;
  bool in_order;
  Result(Node* result, const Node* q, const Node* k)
      : n(result), data(allocate(n)), lead_shape(q->shape), item(item_size(n->dtype)) {
    const int rank = q->shape.rank();
    const bool apart = n->shape.rank() > rank;
    Shape order = order_of(q);
    if (apart && !order.empty()) {
      for (Size& axis : order) axis += axis >= rank - 2;  // past the axis of the parts
      order.insert(rank - 2, rank - 2);
    }
    strides = strides_in(n, order);
    in_order = !strides.empty();
    if (!in_order) strides = row_major_strides(n->shape);
    lead = strides[n->shape.rank() - 2];
    const Size queries = rows_of(q), keys = rows_of(k);
    part[1] = apart ? strides[rank - 2] : queries * lead;
    part[2] = apart ? 2 * part[1] : (queries + keys) * lead;
  }
  // Row r of matrix i, of one of the parts
  char* at(Size i, Size r, int of = 0) const {
    return data + (Operand::place(i, lead_shape, strides) + part[of] + r * lead) * item;
  }
  void done() {
    if (in_order) lies_at(n, std::move(strides));
    n->data = data;
  }
};

// The work on scores: matrices, each in blocks of queries whose scores stay in the second cache.
struct Scores {
  DType dtype;
  bool causal;
  double scale;
  Size matrices, queries, keys, width, block;
  Scores(const Node* n, const Node* q, const Node* k)
      : dtype(n->dtype), causal(engine::causal(n)), scale(scale_of(n)), queries(rows_of(q)), keys(rows_of(k)) {
    constexpr Size least = 64, most = 128, numbers = 1 << 16;
    width = q->shape.back();
    matrices = q->count / (queries * width);
    block = std::min(queries, std::clamp(numbers / keys / 8 * 8, least, most));
  }
  Size blocks() const { return (queries + block - 1) / block; }
  Size rows(Size from) const { return std::min(block, queries - from); }
  // Of those rows, the keys that one of them sees
  Size seen(Size from) const { return causal ? std::min(keys, from + rows(from)) : keys; }

  // to = scale x, of so many rows; they may be the same ones
  void scale_rows(char* to, Size to_lead, const char* x, Size x_lead, Size rows) const {
    with_type(dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_floating_point_v<T>)
        for (Size r = 0; r < rows; ++r)
          for (Size c = 0; c < width; ++c)
            reinterpret_cast<T*>(to)[r * to_lead + c] =
                reinterpret_cast<const T*>(x)[r * x_lead + c] * static_cast<T>(scale);
    });
  }

  // q = scale x, p = softmax(q k^T) of a block
  void weights(const Operand& x, const Operand& k, Size i, Size from, char* q, char* p) const {
    const Size some = rows(from), n = seen(from);
    scale_rows(q, width, x.at(i, from), x.m.lead, some);
    kernels::matmul(dtype, false, true, some, n, width, q, width, k.at(i, 0), k.m.lead, p, n);
    if (causal) hide(from, some, n, p);
    kernels::softmax_rows(dtype, p, p, {0, some, n, 1});
  }

 private:
  // Keys behind a query's own
  void hide(Size from, Size some, Size n, char* p) const {
    with_type(dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_floating_point_v<T>)
        for (Size r = 0; r < some && from + r + 1 < n; ++r)
          std::fill(reinterpret_cast<T*>(p) + r * n + from + r + 1, reinterpret_cast<T*>(p) + (r + 1) * n,
                    -std::numeric_limits<T>::infinity());
    });
  }
};

// f(job, memory of `bytes` for it), for each, shared among threads: jobs of little work a few at a time. Where there are few
// jobs for all the threads, their products share themselves instead.
template <class F>
void share(const Node* n, Size jobs, double work, Size bytes, const F& f) {
  constexpr double worth_a_job = 1 << 18;
  constexpr Size line = 64;
  const Size together = std::max<Size>(1, static_cast<Size>(worth_a_job / work)),
             runs = (jobs + together - 1) / together;
  bytes = (bytes + line - 1) / line * line;
  if (2 * runs <= workers_for(2 * runs)) {
    const Buffer scratch(bytes, n);
    for (Size job = 0; job < jobs; ++job) f(job, scratch.data);
    return;
  }
  const Buffer scratch(workers_for(runs) * bytes, n);
  parallel_for(runs, [&](Size run, int worker) {
    for (Size job = run * together; job < std::min(jobs, (run + 1) * together); ++job)
      f(job, scratch.data + worker * bytes);
  });
}

void add(DType dtype, char* to, Size lead, const char* x, Size rows, Size columns) {
  const kernels::Kernel sum =
      kernels::table().elementwise[static_cast<int>(kernels::Elementwise::add)][static_cast<int>(dtype)][0];
  const Size item = item_size(dtype);
  for (Size r = 0; r < rows; ++r, to += lead * item, x += columns * item) sum(to, to, x, nullptr, columns);
}

// softmax(scale q k^T) as the ops say it
Tensor weights_of(const Tensor& q, const Tensor& k, double scale, bool causal) {
  const Tensor scores = matmul(q * scale, transpose(k));
  if (!causal) return softmax(scores, -1);
  const Size queries = rows_of(q.node()), keys = rows_of(k.node());
  const Tensor seen = reshape(arange(keys), {1, keys}) <= reshape(arange(queries), {queries, 1});
  return softmax(where(seen, scores, -std::numeric_limits<double>::infinity()), -1);
}

}  // namespace

// z = p v,  p = softmax(c q k^T):   gv = p^T g    gs = p (gp - sum gp p),  gp = g v^T    gq = c gs k    gk = c gs^T q
void compute_attention(Node* n) {
  const Operand q(n->in[0]), k(n->in[1]), v(n->in[2]);
  const Scores s(n, n->in[0], n->in[1]);
  Result z(n, n->in[0], n->in[1]);
  const Size q_bytes = s.block * s.width * q.item;
  const double work = static_cast<double>(s.block) * static_cast<double>(s.keys) * static_cast<double>(2 * s.width);
  share(n, s.matrices * s.blocks(), work, q_bytes + s.block * s.keys * q.item, [&](Size job, char* memory) {
    const Size i = job / s.blocks(), from = job % s.blocks() * s.block, keys = s.seen(from);
    char* const p = memory + q_bytes;
    s.weights(q, k, i, from, memory, p);
    kernels::matmul(s.dtype, false, false, s.rows(from), s.width, keys, p, keys, v.at(i, 0), v.m.lead, z.at(i, from),
                    z.lead);
  });
  z.done();
}
Tensor batch_attention(const Replayed& r) {
  const Tensor q = r.all(0), k = r.all(1), v = r.all(2);
  return record(Op::attention, r.n->dtype, r.shape(), {q.node(), k.node(), v.node()}, args_of(r.n), r.source());
}

// Inputs: g, q, k, v. Where queries and keys are as many: gq, gk and gv along an axis in front of the matrices; else rows of gq, then of
// gk, then of gv.
void compute_attention_vjp(Node* n) {
  const Operand g(n->input(0)), q(n->input(1)), k(n->input(2)), v(n->input(3));
  const Scores s(n, n->input(1), n->input(2));
  Result z(n, n->input(1), n->input(2));
  const Size wanted = n->a[2], item = q.item, q_bytes = s.block * s.width * item, p_bytes = s.block * s.keys * item,
             sum_bytes = s.keys * s.width * item;
  const double work = static_cast<double>(s.queries) * static_cast<double>(s.keys) * static_cast<double>(5 * s.width);
  share(n, s.matrices, work, q_bytes + 3 * p_bytes + sum_bytes, [&](Size i, char* memory) {
    char *const p = memory + q_bytes, *const gp = p + p_bytes, *const gs = gp + p_bytes, *const sum = gs + p_bytes;
    char *const gk = z.at(i, 0, 1), *const gv = z.at(i, 0, 2);
    Size summed = 0;  // rows of gk and gv that have numbers
    // to = or += x^T y, a product of a block's rows; blocks go from the last, which sees the most keys, to the first
    const auto put = [&](char* to, const char* x, Size keys, const char* y, Size lead, Size rows) {
      char* const out = summed == 0 ? to : sum;
      kernels::matmul(s.dtype, true, false, keys, s.width, rows, x, keys, y, lead, out, summed == 0 ? z.lead : s.width);
      if (summed != 0) add(s.dtype, to, z.lead, sum, keys, s.width);
    };
    for (Size b = s.blocks(); b-- > 0;) {
      const Size from = b * s.block, rows = s.rows(from), keys = s.seen(from);
      s.weights(q, k, i, from, memory, p);
      if (wanted & of_v) put(gv, p, keys, g.at(i, from), g.m.lead, rows);
      if (wanted & (of_q | of_k)) {
        kernels::matmul(s.dtype, false, true, rows, keys, s.width, g.at(i, from), g.m.lead, v.at(i, 0), v.m.lead, gp,
                        keys);
        kernels::softmax_vjp_rows(s.dtype, gs, gp, p, {0, rows, keys, 1});
      }
      if (wanted & of_k) put(gk, gs, keys, memory, s.width, rows);
      summed = std::max(summed, keys);
      if (!(wanted & of_q)) continue;
      kernels::matmul(s.dtype, false, false, rows, s.width, keys, gs, keys, k.at(i, 0), k.m.lead, z.at(i, from),
                      z.lead);
      s.scale_rows(z.at(i, from), z.lead, z.at(i, from), z.lead, rows);
    }
    for (Size r = summed; r < s.keys; ++r)  // keys that no query sees
      for (char* const rows : {gk, gv})
        std::memset(rows + r * z.lead * item, 0, static_cast<std::size_t>(s.width * item));
  });
  z.done();
}
Tensor batch_attention_vjp(const Replayed& r) {
  Tensors held;
  Node* in[4];
  for (int i = 0; i < 4; ++i) held.push_back(r.all(i)), in[i] = held[static_cast<std::size_t>(i)].node();
  return record(Op::attention_vjp, r.n->dtype, r.shape(), in, 4, args_of(r.n), r.source());
}

Tensors vjp_attention(const Step& s) {
  const Tensor q = s.x(0), k = s.x(1), v = s.x(2);
  const Source source = s.source();
  if (current().no_grad) {  // not to be differentiated
    const int axis = s.n->shape.rank() - 2;
    const Size queries = rows_of(q.node()), keys = rows_of(k.node());
    const bool apart = queries == keys;
    Shape shape = s.n->shape;
    if (apart) shape.insert(axis, 3);
    else shape[axis] = queries + 2 * keys;
    Node* const in[] = {s.g.node(), q.node(), k.node(), v.node()};
    const Size wanted = s.wants(0) * of_q + s.wants(1) * of_k + s.wants(2) * of_v;
    const Tensor all =
        record(Op::attention_vjp, s.n->dtype, shape, in, 4, {{s.n->a[0], s.n->a[1], wanted}, {}}, source);
    const auto part = [&](int i, Size from, Size rows) {
      if (!s.wants(i)) return Tensor();
      return apart ? xgrad::select(all, axis, i) : slice_at(all, axis, from, 1, rows, source);
    };
    return {part(0, 0, queries), part(1, queries, keys), part(2, queries + keys, keys)};
  }
  const double c = scale_of(s.n);
  const Tensor p = weights_of(q, k, c, causal(s.n));
  Tensor gq, gk;
  if (s.wants(0) || s.wants(1)) {
    const Tensor gp = matmul(s.g, transpose(v));
    const Tensor gs = c * p * (gp - sum(gp * p, -1, true));
    gq = matmul(gs, k), gk = matmul(transpose(gs), q);
  }
  return {gq, gk, s.wants(2) ? matmul(transpose(p), s.g) : Tensor()};
}

}  // namespace xgrad::engine

namespace xgrad {

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, double scale, bool causal,
                 Source source) {
  engine::Node *const q = query.node(), *const k = key.node(), *const v = value.node();
  return engine::record(engine::Op::attention, q->dtype, q->shape, {q, k, v},
                        {{causal, std::bit_cast<Size>(scale)}, {}}, source);
}

bool takes_attention(const Tensor& query, const Tensor& key, const Tensor& value) {
  constexpr Size fewest = 1 << 10, longest = 1 << 16;  // pairs; and queries that are added up in f32
  const engine::Node *const q = query.node(), *const k = key.node(), *const v = value.node();
  Shape of_key = q->shape;
  const int rank = of_key.rank();
  if (rank < 2 || k->shape.rank() != rank) return false;
  of_key[rank - 2] = k->shape[rank - 2];
  const Size queries = q->shape[rank - 2], keys = of_key[rank - 2];
  return is_float(q->dtype) && q->dtype == k->dtype && q->dtype == v->dtype && k->shape == of_key &&
         v->shape == of_key && q->count > 0 && queries * keys >= fewest && queries <= longest;
}

}  // namespace xgrad
