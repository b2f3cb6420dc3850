// A chain (kernels.hpp) as a formula, and what two chains must have in common to have the same code.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "autodiff/engine/formula.hpp"
#include "autodiff/kernels/kernels.hpp"

namespace xgrad::engine {

// Which blocks of scratch memory, of so many bytes, are read after a chain: those beyond the first 64 may be.
struct ReadLater {
  std::uint64_t blocks;
  Size bytes;
  bool operator()(std::intptr_t offset) const {
    const std::intptr_t block = offset / bytes;
    return block >= 64 || blocks >> block & 1;
  }
};

// The places of a step, by their numbers in ChainStep::from().
enum class At : int { first = 1, x, y, out };
inline kernels::From from(const kernels::ChainStep& s, At place) { return s.from(static_cast<int>(place)); }
inline std::int32_t offset_of(At place) {  // bytes
  using kernels::ChainStep;
  constexpr std::size_t offsets[] = {offsetof(ChainStep, first), offsetof(ChainStep, x), offsetof(ChainStep, y),
                                     offsetof(ChainStep, out)};
  return static_cast<std::int32_t>(offsets[static_cast<int>(place) - 1]);
}
inline std::intptr_t address_of(const kernels::ChainStep& s, At place) {
  constexpr std::intptr_t kernels::ChainStep::*fields[] = {&kernels::ChainStep::first, &kernels::ChainStep::x,
                                                           &kernels::ChainStep::y, &kernels::ChainStep::out};
  return s.*fields[static_cast<int>(place) - 1];
}

// What the code of steps depends on, word by word: the dtype; then of each step its form, which of its places are the same (by
// numbers, of operands and of constants each for themselves), and whether what it writes is read after the chain.
class ChainKey {
  using From = kernels::From;
  using ChainStep = kernels::ChainStep;

 public:
  static constexpr std::size_t most_steps = 255, most_places = 250;
  static constexpr int bit_of_use = 32;

  ChainKey(std::span<const kernels::ChainStep> steps, DType dtype, const ReadLater& later) {
    words_[count_++] = static_cast<std::uint64_t>(dtype);
    for (const ChainStep& s : steps) {
      if (is_too_long()) return;
      std::uint64_t names = 0;
      for (const At place : {At::first, At::x, At::y, At::out})
        names |= static_cast<std::uint64_t>(name(s, place)) << shift(place);
      if (from(s, At::out) == From::memory || (from(s, At::out) == From::scratch && later(s.out)))
        names |= std::uint64_t(1) << bit_of_use;
      words_[count_++] = s.form, words_[count_++] = names;
    }
  }
  bool is_too_long() const { return met_ > most_places; }
  std::span<const std::uint64_t> words() const { return {words_.data(), count_}; }
  static int name(std::uint64_t names, At place) { return static_cast<int>(names >> shift(place) & 255); }

 private:
  static int shift(At place) { return 8 * (static_cast<int>(place) - 1); }
  struct Place {
    From from;
    std::uint8_t name;
    std::intptr_t at;
  };
  // The places that were met, found by a hash of the address.
  int name(const ChainStep& s, At place) {
    const From where = from(s, place);
    if (where == From::none) return 0;
    const std::intptr_t at = address_of(s, place);
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
struct ChainFormula {
  using Act = kernels::Act;
  using From = kernels::From;
  using ChainStep = kernels::ChainStep;
  struct Address {
    std::int32_t at = -1;
    bool in_scratch = false;
  };
  Formula formula;
  std::vector<Address> operands, numbers;
  std::vector<std::int32_t> sums;

  ChainFormula(std::span<const kernels::ChainStep> steps, DType dtype, std::span<const std::uint64_t> key)
      : formula{dtype, 0, {}, {}, {}} {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const ChainStep& s = steps[i];
      at_ = static_cast<std::int32_t>(i * sizeof(ChainStep));
      names_ = key[2 + 2 * i];
      if (from(s, At::first) != From::none) running_ = value(s, At::first);
      act(s);
      if (from(s, At::out) != From::none) store(s);
    }
    leave_out_what_is_not_used();
    formula.numbers.assign(numbers.size(), 0);  // none that code may be made for
  }

 private:
  std::size_t operand(const ChainStep& s, At place) {
    const auto k = static_cast<std::size_t>(ChainKey::name(names_, place));
    for (std::size_t next = values_.size(); next <= k; ++next) {
      values_.push_back(-1 - static_cast<int>(next));
      results_.push_back(values_.back());
      operands.emplace_back();
    }
    operands[k] = {at_ + offset_of(place), from(s, place) == From::scratch};
    return k;
  }
  int value(const ChainStep& s, At place) {
    if (from(s, place) != From::number) return values_[operand(s, place)];
    const auto k = static_cast<std::size_t>(ChainKey::name(names_, place));
    if (numbers.size() <= k) numbers.resize(k + 1);
    numbers[k] = {at_ + offset_of(place), false};
    return Formula::first_number + static_cast<int>(k);
  }
  void line(Op op, int a) { formula.lines.push_back({op, 1, {a, 0, 0}}), running_ = last(); }
  void line(Op op, int a, int b) { formula.lines.push_back({op, 2, {a, b, 0}}), running_ = last(); }
  int last() const { return static_cast<int>(formula.lines.size()) - 1; }

  void act(const ChainStep& s) {
    const auto with_product = [&](const auto& f) {
      const int a = running_, p = value(s, At::x), q = value(s, At::y);
      line(Op::mul, p, q);
      f(a, running_);
    };
    switch (s.act()) {
      case Act::none:
      case Act::end: return;
      case Act::sum: {
        const int summed = running_;
        sums.push_back(at_ + offset_of(At::y));
        line(Op::sum, summed);
        running_ = summed;
        return;
      }
// clang-format off
#define ONE(op) case Act::op: return line(Op::op, running_);
#define COMMUTES(op) case Act::op: return line(Op::op, running_, value(s, At::x));
#define ORDERED(op) COMMUTES(op) case Act::op##_reversed: return line(Op::op, value(s, At::x), running_);
#define PRODUCT(op) \
      case Act::op##_product: return with_product([&](int a, int xy) { line(Op::op, a, xy); }); \
      case Act::op##_product_reversed: return with_product([&](int a, int xy) { line(Op::op, xy, a); });
#include "autodiff/kernels/chain.def"
        // clang-format on
    }
  }
  // What is stored twice has the last value; what is read afterwards by the chain alone is not stored.
  void store(const ChainStep& s) {
    const std::size_t k = operand(s, At::out);
    if (running_ < 0 || running_ >= Formula::first_number) {  // an operand, or a number
      formula.lines.push_back({Op::where, 3, {running_, running_, running_}});
      running_ = last();
    }
    values_[k] = running_;
    results_[k] = names_ >> ChainKey::bit_of_use & 1 ? running_ : -1 - static_cast<int>(k);
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

}  // namespace xgrad::engine
