#include "autodiff/engine/chain_code.hpp"

#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "autodiff/engine/pages.hpp"
#include "autodiff/engine/thread.hpp"
#include "autodiff/kernels/x86.hpp"

namespace xgrad::engine {

namespace {

using kernels::Act;
using kernels::From;
using kernels::ChainStep;
using namespace kernels::x86;

// Registers: the running values of a strip (of 256 bits: 8 vectors, of 512: 4), another operand of each, one number, scratch.
constexpr int running = 0, others = static_cast<int>(strip_bytes) / 32, spread_number = others + 4;
constexpr int mask = spread_number + 1, most = mask + 1;
constexpr int other(int v) { return others + v % 4; }
// (steps, scratch, start, n): where the steps are, the scratch block's elements, the position in memory in bytes, and its end.
constexpr int steps_at = rdi, in_scratch = rsi, in_memory = rdx, end = rcx, address = rax, second = r8, scratch = r9;

// Bits of each lane, by the dtype: f32, f64.
struct alignas(64) Bits {
  std::uint64_t words[8];
  constexpr explicit Bits(std::uint64_t word) {
    for (std::uint64_t& w : words) w = word;
  }
};
constexpr Bits sign_bits[2] = {Bits(0x8000000080000000), Bits(0x8000000000000000)};
constexpr Bits other_bits[2] = {Bits(0x7fffffff7fffffff), Bits(0x7fffffffffffffff)};

From from(const ChainStep& s, int place) { return static_cast<From>(s.form >> (8 * place) & 255); }

class ChainWriter {
 public:
  ChainWriter(DType dtype, Width width)
      : wide_(dtype == DType::f64),
        vector_bytes_(bytes_of(width)),
        strip_(static_cast<int>(strip_bytes) / vector_bytes_),
        code_(wide_, width) {}

  std::vector<std::uint8_t> operator()(const ChainStep* steps) {
    // in_memory = start * size, end = in_memory + n * size: n is a multiple of strips
    const int shift = wide_ ? 3 : 2;
    code_.copy(scratch, in_scratch);
    code_.shift_left(in_memory, shift), code_.shift_left(end, shift), code_.add_register(end, in_memory);
    const std::size_t loop = code_.here();
    for (const ChainStep* s = steps;; ++s) {
      at_ = static_cast<std::int32_t>(reinterpret_cast<const char*>(s) - reinterpret_cast<const char*>(steps));
      if (s->act() == Act::end) break;
      step(*s);
    }
    code_.add(in_scratch, static_cast<std::int32_t>(strip_bytes));
    code_.add(in_memory, static_cast<std::int32_t>(strip_bytes));
    code_.compare(in_memory, end);
    code_.jump_if_not_equal(loop);
    code_.zero_upper();
    code_.ret();
    return code_.bytes();
  }

 private:
  template <class F>
  void each(const F& f) {
    for (int v = 0; v < strip_; ++v) f(v);
  }
  // Vector v of the operand at `place`, whose address find() has looked up.
  Operand element(const ChainStep& s, int place, int v) const {
    return indexed(address, from(s, place) == From::scratch ? in_scratch : in_memory, vector_bytes_ * v);
  }
  void find(std::size_t field) { code_.load_address(address, steps_at, at_ + static_cast<std::int32_t>(field)); }

  void step(const ChainStep& s) {
    if (from(s, 1) != From::none) {
      find(offsetof(ChainStep, first));
      each([&](int v) {
        if (from(s, 1) == From::number) code_.spread(running + v, address);
        else code_.load(running + v, element(s, 1, v));
      });
    }
    act(s);
    if (from(s, 4) != From::none) {
      find(offsetof(ChainStep, out));
      each([&](int v) { code_.store(element(s, 4, v), running + v); });
    }
  }

  void act(const ChainStep& s) {
    switch (s.act()) {
      case Act::none: return;
      case Act::sum: return add_up();
      case Act::add: return with(s, Avx::add, false);
      case Act::mul: return with(s, Avx::mul, false);
      case Act::sub: return with(s, Avx::sub, false);
      case Act::sub_reversed: return with(s, Avx::sub, true);
      case Act::maximum: return with(s, Avx::max, false);
      case Act::maximum_reversed: return with(s, Avx::max, true);
      case Act::minimum: return with(s, Avx::min, false);
      case Act::minimum_reversed: return with(s, Avx::min, true);
      case Act::add_product: return with_product(s, Avx::add, false);
      case Act::add_product_reversed: return with_product(s, Avx::add, true);
      case Act::sub_product: return with_product(s, Avx::sub, false);
      case Act::sub_product_reversed: return with_product(s, Avx::sub, true);
      case Act::neg: return with_bits(Avx::bit_xor, sign_bits[wide_]);
      case Act::abs: return with_bits(Avx::bit_and, other_bits[wide_]);
      case Act::square: return each([&](int v) { code_.avx(Avx::mul, running + v, running + v, vector(running + v)); });
      case Act::relu:  // max gives the second where one is NaN
        code_.avx(Avx::bit_xor, mask, mask, vector(mask));
        return each([&](int v) { code_.avx(Avx::max, running + v, mask, vector(running + v)); });
      case Act::end: return;
    }
  }
  void with_bits(Avx op, const Bits& bits) {
    code_.load_address(address, &bits);
    code_.load(mask, memory(address, 0));
    each([&](int v) { code_.avx(op, running + v, running + v, vector(mask)); });
  }
  void with(const ChainStep& s, Avx op, bool reversed) {
    find(offsetof(ChainStep, x));
    const bool number = from(s, 2) == From::number;
    if (number) code_.spread(spread_number, address);
    each([&](int v) {
      Operand x = number ? vector(spread_number) : element(s, 2, v);
      const bool chosen = op == Avx::max || op == Avx::min;
      if (!number && (reversed || chosen)) {
        code_.load(other(v), x);
        x = vector(other(v));
      }
      combine(op, v, x, reversed);
    });
  }
  // The sums that lie side by side, in scratch memory: see sums.hpp.
  void add_up() {
    const int parts = static_cast<int>(kept_sums) / vector_bytes_;
    find(offsetof(ChainStep, y));
    for (int k = 0; k < parts; ++k) {
      code_.load(other(k), indexed(address, scratch, vector_bytes_ * k));
      for (int v = k; v < strip_; v += parts) code_.avx(Avx::add, other(k), other(k), vector(running + v));
      code_.store(indexed(address, scratch, vector_bytes_ * k), other(k));
    }
  }
  void with_product(const ChainStep& s, Avx op, bool reversed) {
    find(offsetof(ChainStep, x));
    const bool number = from(s, 3) == From::number;
    code_.load_address(second, steps_at, at_ + static_cast<std::int32_t>(offsetof(ChainStep, y)));
    if (number) code_.spread(spread_number, second);
    each([&](int v) {
      code_.load(other(v), element(s, 2, v));
      Operand y = element(s, 3, v);
      y.base = second;
      code_.avx(Avx::mul, other(v), other(v), number ? vector(spread_number) : y);
      combine(op, v, vector(other(v)), reversed);
    });
  }
  // a = op(a, x), or op(x, a); maximum and minimum as elementwise.def has them: the first operand where that is NaN
  void combine(Avx op, int v, const Operand& x, bool reversed) {
    const int a = running + v;
    if (op == Avx::max || op == Avx::min) {
      const int first = reversed ? x.vector : a, second = reversed ? a : x.vector;
      code_.compare(Than::unordered, mask, first, vector(first));
      code_.avx(op, most, first, vector(second));
      code_.choose(a, mask, vector(first), most);
    } else if (reversed) {
      code_.avx(op, a, x.vector, vector(a));
    } else {
      code_.avx(op, a, a, x);
    }
  }

  bool wide_;
  int vector_bytes_, strip_;  // vectors that go through the chain together
  Code code_;
  std::int32_t at_ = 0;  // bytes, of the step
};

struct Known {
  Size work = 0;  // that was done without code
  bool impossible = false;
  std::unique_ptr<Pages> code;
};
using Forms = std::span<const std::uint64_t>;
struct Before {  // the order of forms, in a vector or elsewhere
  using is_transparent = void;
  bool operator()(Forms x, Forms y) const {
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  }
};
constexpr Size worth_code = 1 << 22;       // steps x elements, about a millisecond's
constexpr std::size_t most_chains = 1024;  // are known

}  // namespace

kernels::Chain chain_code(const ChainStep* steps, DType dtype, Size work) {
  if (code_when() == CodeWhen::never) return nullptr;
  constexpr std::size_t most_steps = 255;
  std::array<std::uint64_t, most_steps + 1> forms{static_cast<std::uint64_t>(dtype)};
  std::size_t count = 1;
  for (const ChainStep* s = steps; s->act() != Act::end; ++s) {
    if (count > most_steps) return nullptr;
    forms[count++] = s->form;
  }
  const std::lock_guard lock(code_lock);
  static constinit std::map<std::vector<std::uint64_t>, Known, Before>* made = nullptr;
  if (!made) made = new std::map<std::vector<std::uint64_t>, Known, Before>;  // to the end
  auto& all = *made;
  const Forms key{forms.data(), count};
  auto found = all.find(key);
  if (found == all.end()) {
    if (all.size() == most_chains) return nullptr;
    found = all.emplace(std::vector<std::uint64_t>(key.begin(), key.end()), Known()).first;
  }
  Known& known = found->second;
  if (known.impossible) return nullptr;
  if (!known.code) {
    known.work += work;
    if (known.work < worth_code && code_when() != CodeWhen::always) return nullptr;
    auto code = std::make_unique<Pages>(ChainWriter(dtype, code_width())(steps));
    known.impossible = !code->memory;
    if (known.impossible) return nullptr;
    known.code = std::move(code);
  }
  return reinterpret_cast<kernels::Chain>(known.code->memory);
}

}  // namespace xgrad::engine

#else

namespace xgrad::engine {

kernels::Chain chain_code(const kernels::ChainStep*, DType, Size) { return nullptr; }

}  // namespace xgrad::engine

#endif
