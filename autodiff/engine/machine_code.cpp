#include "autodiff/engine/machine_code.hpp"

#if defined(__x86_64__)

#include <algorithm>
#include <cstring>

#include "autodiff/engine/op_code.hpp"
#include "autodiff/engine/pages.hpp"

namespace xgrad::engine {

namespace {

using Function = void (*)(char* const* base, const char* numbers, Size begin, Size end);  // bytes; whole vectors

// The lines as a loop's body; false: an op is not there.
bool write_lines(const Formula& formula, Registers& registers) {
  OpWriter write(formula, registers);
  for (std::size_t i = 0; i < formula.lines.size(); ++i)
    if (registers.is_used(static_cast<int>(i)) && !write(static_cast<int>(i))) return false;
  return true;
}

// (base, numbers, begin, end), see Function.
std::vector<std::uint8_t> function(const Formula& formula, const Registers& body, const std::vector<int>& kept) {
  using namespace frame;
  Code all(formula.dtype == DType::f64, body.code().width());
  const int stack = body.spills() * body.vector_bytes();
  const auto each_saved = [&](const auto& f) {
    for (int k = first_saved; k < std::min(formula.operands, end_saved); ++k) f(k);
  };
  each_saved([&](int k) { all.push(pointers[k]); });
  if (stack > 0) all.add(rsp, -stack);
  for (int k = 0; k < formula.operands; ++k) all.load_address(pointers[k], rdi, 8 * k);  // rdi is the last of them
  for (std::size_t i = 0; i < kept.size(); ++i)
    all.load(body.register_of_kept(i), memory(numbers, Numbers::offset(kept[i])));
  const std::size_t loop = all.here();
  all.append(body.code());
  all.add(index, body.vector_bytes());
  all.compare(index, end);
  all.jump_if_not_equal(loop);
  if (stack > 0) all.add(rsp, stack);
  std::vector<int> saved;
  each_saved([&](int k) { saved.push_back(pointers[k]); });
  for (std::size_t i = saved.size(); i-- > 0;) all.pop(saved[i]);
  all.zero_upper();
  all.ret();
  return all.bytes();
}

}  // namespace

struct MachineCode::Own {
  DType dtype;
  Size vector_bytes;
  int operands;
  std::vector<char> changed;
  Numbers numbers;
  std::unique_ptr<Pages> pages;
};

MachineCode::MachineCode(const Formula& formula)
    : own_(new Own{formula.dtype, bytes_of(code_width()), formula.operands, {}, Numbers(formula), nullptr}) {
  for (int k = 0; k < formula.operands; ++k) own_->changed.push_back(formula.results[static_cast<std::size_t>(k)] >= 0);
  Registers registers(formula, {code_width()}, {});
  if (!write_lines(formula, registers)) return;
  const std::vector<int> kept = registers.numbers_to_keep();
  Registers again(formula, {code_width()}, kept);
  write_lines(formula, again);
  own_->pages = std::make_unique<Pages>(function(formula, again, kept));
}
MachineCode::~MachineCode() = default;

std::unique_ptr<MachineCode> MachineCode::of(const Formula& formula) {
  if (code_when() == CodeWhen::never || formula.lines.empty() || formula.operands > frame::most_operands)
    return nullptr;
  std::unique_ptr<MachineCode> made(new MachineCode(formula));
  if (!made->own_->pages || !made->own_->pages->memory) return nullptr;
  made->set_numbers(formula.numbers);
  return made;
}

void MachineCode::set_numbers(const std::vector<double>& numbers) { own_->numbers.set(numbers); }

void MachineCode::operator()(char* const* base, Size begin, Size end) const {
  const Size vector_bytes = own_->vector_bytes, item = item_size(own_->dtype), lanes = vector_bytes / item;
  const Size whole = (end - begin) / lanes * lanes;
  const auto run = reinterpret_cast<Function>(own_->pages->memory);
  if (whole > 0) run(base, own_->numbers.data(), begin * item, (begin + whole) * item);
  const Size from = begin + whole;
  if (from == end) return;
  // the rest, as one vector
  alignas(most_bytes) char part[frame::most_operands][most_bytes] = {};
  char* own[frame::most_operands];
  const auto bytes = static_cast<std::size_t>((end - from) * item);
  for (int k = 0; k < own_->operands; ++k) {
    std::memcpy(part[k], base[k] + from * item, bytes);
    own[k] = part[k];
  }
  run(own, own_->numbers.data(), 0, vector_bytes);
  for (int k = 0; k < own_->operands; ++k)
    if (own_->changed[static_cast<std::size_t>(k)]) std::memcpy(base[k] + from * item, part[k], bytes);
}

}  // namespace xgrad::engine

#else

namespace xgrad::engine {

struct MachineCode::Own {};
MachineCode::MachineCode(const Formula&) {}
MachineCode::~MachineCode() = default;
std::unique_ptr<MachineCode> MachineCode::of(const Formula&) { return nullptr; }
void MachineCode::set_numbers(const std::vector<double>&) {}
void MachineCode::operator()(char* const*, Size, Size) const {}

}  // namespace xgrad::engine

#endif
