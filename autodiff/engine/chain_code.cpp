#include "autodiff/engine/chain_code.hpp"

#if defined(__x86_64__)

#include <algorithm>
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

// (steps, scratch, start, n): n is a multiple of strips.
class ChainCodeWriter {
 public:
  ChainCodeWriter(const ChainFormula& t, kernels::x86::Width width)
      : t_(t),
        vector_bytes_(kernels::x86::bytes_of(width)),
        parts_(t.sums.empty() ? 1 : static_cast<int>(kept_sums) / vector_bytes_) {
    frame_.width = width;
    frame_.pointers = 10;  // rdi, the steps, stays
    frame_.table =
        Numbers::offset(Formula::first_number + static_cast<int>(t.numbers.size()));  // after the last number
    frame_.spills_at = frame::numbers;
    frame_.spills_from = frame_.table + static_cast<std::int32_t>(round_up(8 * (t.operands.size() + t.sums.size())));
    const int most = width == kernels::x86::Width::bits_512 ? 8 : 4;
    sums_in_registers_ = std::min(static_cast<int>(t.sums.size()), most / parts_);
    frame_.reserved = sums_in_registers_ * parts_;
  }

  std::vector<std::uint8_t> function() {
    Registers body(t_.formula, frame_, {});
    write(body);
    const std::vector<int> kept = body.numbers_to_keep();
    Registers again(t_.formula, frame_, kept);
    write(again);
    return around(again, kept, body.read_numbers());
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
      const ChainFormula::Address& from = t_.operands[static_cast<std::size_t>(k)];
      const bool in_register = k < frame_.pointers - 1;
      const int to = in_register ? pointers[k] : frame::address;
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
    static const Numbers* const numbers[] = {
        new Numbers(Formula{DType::f32, 0, {}, {}, {}}),
        new Numbers(Formula{DType::f64, 0, {}, {}, {}})};  // to the end, as the code
    return numbers[t_.formula.dtype == DType::f64]->data() + Numbers::offset(id);
  }

  static constexpr int saved[] = {kernels::x86::rbx, kernels::x86::rbp, kernels::x86::r12,
                                  kernels::x86::r13, kernels::x86::r14, kernels::x86::r15};
  const ChainFormula& t_;
  int vector_bytes_, parts_, sums_in_registers_;
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
  while (length <= ChainKey::most_steps && begin[length].act() != Act::end) ++length;
  if (length == 0 || length > ChainKey::most_steps) return nullptr;
  const std::span steps(begin, length);
  const ChainKey key(steps, dtype, later);
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
    const ChainFormula translated(steps, dtype, key.words());
    auto code = std::make_unique<Pages>(ChainCodeWriter(translated, code_width()).function());
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
