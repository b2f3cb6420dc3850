#include "autodiff/engine/chain_code.hpp"

#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "autodiff/engine/op_code.hpp"
#include "autodiff/engine/pages.hpp"
#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

namespace {

using kernels::Act;
using kernels::ChainStep;
using kernels::From;
using Steps = std::span<const ChainStep>;

// The four places of a step: first, x, y and out. See ChainStep::form.
constexpr std::intptr_t ChainStep::*fields[] = {&ChainStep::first, &ChainStep::x, &ChainStep::y, &ChainStep::out};
constexpr int first = 0, x = 1, y = 2, out = 3;
From from(const ChainStep& s, int place) { return s.from(place + 1); }

// What the code of steps depends on, word by word: the dtype; then of each step its form, and which of its places are the
// same, by number, operands and numbers each for themselves. In front of the number of what it writes: whether that is read
// after the chain.
class Key {
 public:
  static constexpr std::size_t most_steps = 255, most_places = 250;
  static constexpr int bit_of_use = 32;

  Key(Steps steps, DType dtype, const ReadLater& later) {
    words_[count_++] = static_cast<std::uint64_t>(dtype);
    for (const ChainStep& s : steps) {
      if (is_too_long()) return;
      std::uint64_t names = 0;
      for (int place = 0; place < 4; ++place) names |= static_cast<std::uint64_t>(name(s, place)) << (8 * place);
      if (from(s, out) == From::memory || (from(s, out) == From::scratch && later(s.out)))
        names |= std::uint64_t(1) << bit_of_use;
      words_[count_++] = s.form, words_[count_++] = names;
    }
  }
  bool is_too_long() const { return met_ > most_places; }
  std::span<const std::uint64_t> words() const { return {words_.data(), count_}; }
  static int name(std::uint64_t names, int place) { return static_cast<int>(names >> (8 * place) & 255); }

 private:
  struct Place {
    From from;
    std::uint8_t name;
    std::intptr_t at;
  };
  // The places that were met, found by a hash of the address.
  int name(const ChainStep& s, int place) {
    const From where = from(s, place);
    if (where == From::none) return 0;
    const std::intptr_t at = s.*fields[place];
    constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
    for (std::size_t i = (static_cast<std::uint64_t>(at) + static_cast<std::uint64_t>(where)) * golden >> 55;; ++i) {
      std::uint16_t& known = table_[i % table_.size()];  // 0: none, else one more than its position
      if (known == 0) {
        places_[met_] = {where, where == From::number ? numbers_++ : operands_++, at};
        known = static_cast<std::uint16_t>(++met_);
      }
      const Place& found = places_[known - 1u];
      if (found.from == where && found.at == at) return found.name;
    }
  }

  std::array<std::uint64_t, 2 * most_steps + 1> words_;
  std::size_t count_ = 0, met_ = 0;
  std::array<Place, most_places + 4> places_;
  std::array<std::uint16_t, 512> table_{};
  std::uint8_t operands_ = 0, numbers_ = 0;
};

// Steps as a formula, whose sums are lines of one operand; and where their addresses are, in bytes from the first step.
struct Translated {
  struct Address {
    std::int32_t at = -1;
    bool in_scratch = false;
  };
  Formula formula;
  std::vector<Address> operands, numbers;
  std::vector<std::int32_t> sums;

  Translated(Steps steps, DType dtype, std::span<const std::uint64_t> key) : formula{dtype, 0, {}, {}, {}} {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const ChainStep& s = steps[i];
      at_ = static_cast<std::int32_t>(i * sizeof(ChainStep));
      names_ = key[2 + 2 * i];
      if (from(s, first) != From::none) running_ = value(s, first);
      act(s);
      if (from(s, out) != From::none) store(s);
    }
    leave_out_what_is_not_used();
    formula.numbers.assign(numbers.size(), 0);  // none that code may be made for
  }

 private:
  std::size_t operand(const ChainStep& s, int place) {
    const auto k = static_cast<std::size_t>(Key::name(names_, place));
    for (std::size_t next = values_.size(); next <= k; ++next) {
      values_.push_back(-1 - static_cast<int>(next));
      results_.push_back(values_.back());
      operands.emplace_back();
    }
    operands[k] = {at_ + field(place), from(s, place) == From::scratch};
    return k;
  }
  int value(const ChainStep& s, int place) {
    if (from(s, place) != From::number) return values_[operand(s, place)];
    const auto k = static_cast<std::size_t>(Key::name(names_, place));
    if (numbers.size() <= k) numbers.resize(k + 1);
    numbers[k] = {at_ + field(place), false};
    return Formula::first_number + static_cast<int>(k);
  }
  static std::int32_t field(int place) {
    constexpr std::size_t offsets[] = {offsetof(ChainStep, first), offsetof(ChainStep, x), offsetof(ChainStep, y),
                                       offsetof(ChainStep, out)};
    return static_cast<std::int32_t>(offsets[place]);
  }

  void line(Op op, int a) { formula.lines.push_back({op, 1, {a, 0, 0}}), running_ = last(); }
  void line(Op op, int a, int b) { formula.lines.push_back({op, 2, {a, b, 0}}), running_ = last(); }
  int last() const { return static_cast<int>(formula.lines.size()) - 1; }

  void act(const ChainStep& s) {
    const auto with_product = [&](const auto& f) {
      const int a = running_, p = value(s, x), q = value(s, y);
      line(Op::mul, p, q);
      f(a, running_);
    };
    switch (s.act()) {
      case Act::none:
      case Act::end: return;
      case Act::sum: {
        const int summed = running_;
        sums.push_back(at_ + field(y));
        line(Op::sum, summed);
        running_ = summed;
        return;
      }
// clang-format off
#define ONE(op) case Act::op: return line(Op::op, running_);
#define COMMUTES(op) case Act::op: return line(Op::op, running_, value(s, x));
#define ORDERED(op) COMMUTES(op) case Act::op##_reversed: return line(Op::op, value(s, x), running_);
#define PRODUCT(op) \
      case Act::op##_product: return with_product([&](int a, int xy) { line(Op::op, a, xy); }); \
      case Act::op##_product_reversed: return with_product([&](int a, int xy) { line(Op::op, xy, a); });
#include "autodiff/kernels/chain.def"
        // clang-format on
    }
  }
  // What is stored twice has the last value; what is read afterwards by the chain alone is not stored.
  void store(const ChainStep& s) {
    const std::size_t k = operand(s, out);
    if (running_ < 0 || running_ >= Formula::first_number) {  // an operand, or a number
      formula.lines.push_back({Op::where, 3, {running_, running_, running_}});
      running_ = last();
    }
    values_[k] = running_;
    results_[k] = names_ >> Key::bit_of_use & 1 ? running_ : -1 - static_cast<int>(k);
  }

  // Operands that the chain alone writes and reads: their values are in registers.
  void leave_out_what_is_not_used() {
    std::vector<bool> used(values_.size());
    const auto use = [&](int id) {
      if (id < 0) used[static_cast<std::size_t>(-1 - id)] = true;
    };
    for (const Formula::Line& l : formula.lines)
      for (int k = 0; k < l.inputs; ++k) use(l.in[k]);
    std::vector<int> now(values_.size());
    std::vector<Address> all = std::move(operands);
    operands.clear();
    for (std::size_t k = 0; k < all.size(); ++k) {
      if (!used[k] && results_[k] < 0) continue;
      now[k] = -1 - static_cast<int>(operands.size());
      operands.push_back(all[k]);
      formula.results.push_back(results_[k] < 0 ? now[k] : results_[k]);
    }
    formula.operands = static_cast<int>(operands.size());
    for (Formula::Line& l : formula.lines)
      for (int k = 0; k < l.inputs; ++k)
        if (l.in[k] < 0) l.in[k] = now[static_cast<std::size_t>(-1 - l.in[k])];
  }

  std::int32_t at_ = 0;
  std::uint64_t names_ = 0;
  int running_ = 0;
  std::vector<int> values_, results_;  // of each operand: now, and at the end
};

// (steps, scratch, start, n): n is a multiple of strips.
class ChainWriter {
 public:
  ChainWriter(const Translated& t, kernels::x86::Width width)
      : t_(t),
        vector_bytes_(kernels::x86::bytes_of(width)),
        parts_(t.sums.empty() ? 1 : static_cast<int>(kept_sums) / vector_bytes_),
        numbers_(Numbers::made_count + static_cast<int>(t.numbers.size())) {
    frame_.width = width;
    frame_.pointers = 10;  // rdi, the steps, stays
    frame_.table = numbers_ * static_cast<std::int32_t>(most_bytes);
    frame_.spills_at = frame::numbers;
    frame_.spills_from = frame_.table + static_cast<std::int32_t>(round_up(8 * (t.operands.size() + t.sums.size())));
    const int room = width == kernels::x86::Width::bits_512 ? 8 : 4;
    sums_in_registers_ = std::min(static_cast<int>(t.sums.size()), room / std::max(parts_, 1));
    if (!t.sums.empty()) frame_.reserved = sums_in_registers_ * parts_;
  }

  std::vector<std::uint8_t> function() {
    Registers body(t_.formula, frame_, {});
    write(body);
    // Registers that are left hold numbers.
    std::vector<int> kept = body.read_numbers();
    const auto room = static_cast<std::size_t>(std::max(0, body.untouched()));
    const std::vector<int> read = kept;
    kept.resize(std::min(kept.size(), room));
    Registers again(t_.formula, frame_, kept);
    write(again);
    return around(again, kept, read);
  }

 private:
  static std::size_t round_up(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  int operands() const { return static_cast<int>(t_.operands.size()); }
  std::int32_t pointer_of_sum(int k) const { return frame_.table + 8 * (operands() + k); }
  int register_of_sum(int k, int part) const {
    return kernels::x86::registers_of(frame_.width) - frame_.reserved + k * parts_ + part;
  }

  void write(Registers& body) {
    OpWriter op(t_.formula, body);
    for (int part = 0; part < parts_; ++part) {
      if (part > 0) body.begin_part(part);
      int sum = 0;
      for (std::size_t i = 0; i < t_.formula.lines.size(); ++i) {
        const Formula::Line& l = t_.formula.lines[i];
        if (l.op == Op::sum) add_up(body, static_cast<int>(i), l.in[0], sum++, part);
        else if (body.is_used(static_cast<int>(i))) op(static_cast<int>(i));
      }
    }
  }
  // The sums that lie side by side: see sums.hpp.
  void add_up(Registers& body, int line, int summed, int k, int part) {
    using namespace kernels::x86;
    body.begin(line);
    const int from = body.in_register(summed);
    if (k < sums_in_registers_) {
      body.code().avx(Avx::add, register_of_sum(k, part), register_of_sum(k, part), vector(from));
    } else {
      const int sum = body.scratch();
      const Operand at = memory(frame::address, part * vector_bytes_);
      body.code().load_address(frame::address, frame::numbers, pointer_of_sum(k));
      body.code().load(sum, at);
      body.code().avx(Avx::add, sum, sum, vector(from));
      body.code().store(at, sum);
    }
    body.end_of_line();
  }

  std::vector<std::uint8_t> around(const Registers& body, const std::vector<int>& kept,
                                   const std::vector<int>& read) const {
    using namespace frame;
    constexpr int steps = rdi, scratch = rsi, start = rdx, n = rcx;
    const bool wide = t_.formula.dtype == DType::f64;
    Code all(wide, frame_.width);
    for (const int r : saved) all.push(r);
    const auto stack = static_cast<std::int32_t>(
                           round_up(static_cast<std::size_t>(frame_.spills_from + body.spills() * vector_bytes_))) +
                       64;
    // index = start * size, end = index + n * size; numbers in aligned memory
    all.shift_left(start, wide ? 3 : 2), all.shift_left(n, wide ? 3 : 2), all.add_register(n, start);
    all.copy(r14, scratch);
    all.add(rsp, -stack);
    all.copy(numbers, rsp);
    all.add(numbers, 63), all.round_down(numbers, 64);
    // sums, numbers, operands
    for (int k = 0; k < static_cast<int>(t_.sums.size()); ++k) {
      all.load_address(rax, steps, t_.sums[static_cast<std::size_t>(k)]);
      all.add_register(rax, r14);
      all.store_address(numbers, pointer_of_sum(k), rax);
      for (int part = 0; part < parts_ && k < sums_in_registers_; ++part)
        all.load(register_of_sum(k, part), memory(rax, part * vector_bytes_));
    }
    for (const int id : read) {
      if (id >= Numbers::first_made) all.load_address(rax, made(id));
      else all.load_address(rax, steps, t_.numbers[static_cast<std::size_t>(id - Formula::first_number)].at);
      const auto at = std::find(kept.begin(), kept.end(), id);
      const int to = at == kept.end() ? 0 : body.register_of_kept(static_cast<std::size_t>(at - kept.begin()));
      all.spread(to, rax);
      if (at == kept.end()) all.store(memory(numbers, Numbers::offset(id)), to);
    }
    all.subtract_register(r14, index);    // what is in scratch memory begins there, whatever the index
    for (int k = operands(); k-- > 0;) {  // r14 is the last pointer
      const Translated::Address& from = t_.operands[static_cast<std::size_t>(k)];
      const bool in_register = k < frame_.pointers - 1;
      const int to = in_register ? pointers[k] : address;
      all.load_address(to, steps, from.at);
      if (from.in_scratch) all.add_register(to, r14);
      if (!in_register) all.store_address(numbers, frame_.table + 8 * k, to);
    }
    if (operands() >= frame_.pointers)
      all.load_address(pointers[frame_.pointers - 1], numbers, frame_.table + 8 * (frame_.pointers - 1));
    const std::size_t loop = all.here();
    all.append(body.code());
    all.add(index, parts_ * vector_bytes_);
    all.compare(index, end);
    all.jump_if_not_equal(loop);
    for (int k = 0; k < sums_in_registers_; ++k) {
      all.load_address(rax, numbers, pointer_of_sum(k));
      for (int part = 0; part < parts_; ++part) all.store(memory(rax, part * vector_bytes_), register_of_sum(k, part));
    }
    all.add(rsp, stack);
    for (std::size_t i = std::size(saved); i-- > 0;) all.pop(saved[i]);
    all.zero_upper();
    all.ret();
    return all.bytes();
  }
  // Where a number that ops are made of lies, for good.
  const void* made(int id) const {
    static const Formula none[] = {{DType::f32, 0, {}, {}, {}}, {DType::f64, 0, {}, {}, {}}};
    static const Numbers numbers[] = {Numbers(none[0]), Numbers(none[1])};
    return numbers[t_.formula.dtype == DType::f64].data() + Numbers::offset(id);
  }

  static constexpr int saved[] = {kernels::x86::rbx, kernels::x86::rbp, kernels::x86::r12,
                                  kernels::x86::r13, kernels::x86::r14, kernels::x86::r15};
  const Translated& t_;
  int vector_bytes_, parts_, numbers_, sums_in_registers_;
  Frame frame_;
};

struct Known {
  Size work = 0;  // that was done without code
  bool impossible = false;
  std::unique_ptr<Pages> code;
};
using Words = std::span<const std::uint64_t>;
struct Before {  // the order of keys, in a vector or elsewhere
  using is_transparent = void;
  bool operator()(Words a, Words b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  }
};
constexpr Size worth_code = 1 << 22;       // steps x elements, about a millisecond's
constexpr std::size_t most_chains = 1024;  // are known

}  // namespace

kernels::Chain chain_code(const ChainStep* begin, DType dtype, Size work, const ReadLater& later) {
  if (code_when() == CodeWhen::never) return nullptr;
  std::size_t length = 0;
  while (length <= Key::most_steps && begin[length].act() != Act::end) ++length;
  if (length == 0 || length > Key::most_steps) return nullptr;
  const Steps steps(begin, length);
  const Key key(steps, dtype, later);
  if (key.is_too_long()) return nullptr;
  const std::lock_guard lock(code_lock);
  static constinit std::map<std::vector<std::uint64_t>, Known, Before>* made = nullptr;
  if (!made) made = new std::map<std::vector<std::uint64_t>, Known, Before>;  // to the end
  auto& all = *made;
  auto found = all.find(key.words());
  if (found == all.end()) {
    if (all.size() == most_chains) return nullptr;
    found = all.emplace(std::vector<std::uint64_t>(key.words().begin(), key.words().end()), Known()).first;
  }
  Known& known = found->second;
  if (known.impossible) return nullptr;
  if (!known.code) {
    known.work += work;
    if (known.work < worth_code && code_when() != CodeWhen::always) return nullptr;
    const Translated translated(steps, dtype, key.words());
    auto code = std::make_unique<Pages>(ChainWriter(translated, code_width()).function());
    known.impossible = !code->memory;
    if (known.impossible) return nullptr;
    known.code = std::move(code);
  }
  return reinterpret_cast<kernels::Chain>(known.code->memory);
}

}  // namespace xgrad::engine

#else

namespace xgrad::engine {

kernels::Chain chain_code(const kernels::ChainStep*, DType, Size, const ReadLater&) { return nullptr; }

}  // namespace xgrad::engine

#endif
