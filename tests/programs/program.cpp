#include "program.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace programs {

bool Program::has(Step::Role role) const {
  return std::any_of(steps.begin(), steps.end(), [&](const Step& s) { return s.role == role; });
}

namespace {

// text[k] is "%" before a number: the slot that it names, renumbered.
std::string renumbered(const std::string& text, const std::vector<int>& to) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    out += text[i];
    if (text[i++] != '%') continue;
    std::size_t digits = 0;
    const int slot = std::stoi(text.substr(i), &digits);
    out += std::to_string(to[static_cast<std::size_t>(slot)]);
    i += digits;
  }
  return out;
}

// Without the steps that nothing leads from; those with an effect stay.
Program pruned(const Program& p) {
  std::vector<bool> used(p.steps.size(), false);
  const auto use = [&](int slot) { used[static_cast<std::size_t>(slot)] = true; };
  for (const int slot : p.outputs) use(slot);
  if (p.loss >= 0) use(p.loss);
  for (std::size_t i = p.steps.size(); i-- > 0;) {
    const Step& s = p.steps[i];
    used[i] = used[i] || s.role == Step::Role::assign || s.role == Step::Role::backward;
    if (used[i])
      for (const int slot : s.in) use(slot);
  }
  Program q = p;
  q.steps.clear();
  std::vector<int> to(p.steps.size(), -1);
  const auto renumber = [&](int slot) { return to[static_cast<std::size_t>(slot)]; };
  for (std::size_t i = 0; i < p.steps.size(); ++i) {
    if (!used[i]) continue;
    to[i] = static_cast<int>(q.steps.size());
    Step s = p.steps[i];
    s.text = renumbered(s.text, to);
    std::transform(s.in.begin(), s.in.end(), s.in.begin(), renumber);
    q.steps.push_back(std::move(s));
  }
  std::transform(q.outputs.begin(), q.outputs.end(), q.outputs.begin(), renumber);
  if (q.loss >= 0) q.loss = renumber(q.loss);
  return q;
}

}  // namespace

std::string to_string(const Program& p) {
  std::string out = fmt::format("program {}{}\n", p.seed, p.smooth ? ", smooth" : "");
  for (std::size_t i = 0; i < p.steps.size(); ++i) {
    const Step& s = p.steps[i];
    out += fmt::format("  %{} {} {} = {}{}\n", i, name(s.dtype), s.shape, s.text, s.no_grad ? "   NoGrad" : "");
  }
  out += "  outputs";
  for (const int slot : p.outputs) out += fmt::format(" %{}", slot);
  if (p.loss >= 0) out += fmt::format(", loss %{}", p.loss);
  return out + "\n";
}

Program shortened(Program p, const Check& check, const std::vector<Tensor>& values) {
  const auto keep_if_it_fails = [&](const Program& candidate) {
    if (check(candidate).empty()) return false;
    p = candidate;
    return true;
  };
  {
    Program without = p;
    without.loss = -1;
    keep_if_it_fails(without);
  }
  for (int i = 0; i < static_cast<int>(p.steps.size()) && p.loss < 0; ++i) {  // the first step that fails by itself
    Program alone = p;
    alone.outputs = {i};
    if (keep_if_it_fails(pruned(alone))) return p;
  }
  for (std::size_t i = 0; p.outputs.size() > 1 && i < p.outputs.size();) {
    Program candidate = p;
    candidate.outputs.erase(candidate.outputs.begin() + static_cast<std::ptrdiff_t>(i));
    if (!keep_if_it_fails(candidate)) ++i;
  }
  for (std::size_t i = p.steps.size(); i-- > 0;) {
    if (i >= values.size() || !values[i].defined() || (p.steps[i].in.empty() && p.steps[i].role == Step::Role::op))
      continue;
    Program candidate = p;
    Step& s = candidate.steps[i];
    const Tensor value = values[i];
    Step constant;
    constant.text = "constant";
    constant.dtype = s.dtype;
    constant.shape = s.shape;
    constant.run = [value](const Tensors&) { return value; };
    s = std::move(constant);
    keep_if_it_fails(candidate);
  }
  Program fewer = pruned(p);
  return check(fewer).empty() ? p : fewer;
}

}  // namespace programs
