#include <xgrad/nn/fields.hpp>

#include <fmt/format.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/representable.hpp>

namespace xgrad::nn {

std::string Path::dotted() const {
  const std::string here = index >= 0 ? std::to_string(index) : std::string(field);
  const std::string before = parent ? parent->dotted() : std::string();
  return before.empty() ? here : here.empty() ? before : before + "." + here;
}

std::string_view fields::next_name(std::string_view& names) {
  constexpr std::string_view blank = " \t\n";
  const std::size_t comma = names.find(',');
  std::string_view name = names.substr(0, comma);
  names = comma == std::string_view::npos ? std::string_view() : names.substr(comma + 1);
  const std::size_t first = name.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  name = name.substr(first, name.find_last_not_of(blank) - first + 1);
  for (const std::string_view prefix : {std::string_view("this->"), std::string_view("*")})
    if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  return name;
}

Tensor input_of(const char* layer, const In& x, const Tensor& weight) {
  if (!weight.defined())
    fail(line_of(x, layer),
         "this layer has no weight: it was made without sizes, or moved from; assign one that "
         "has them");
  const Tensor input = x;
  if (!input.defined()) fail(line_of(x, layer), "expected numbers, got an empty tensor; give it a value first");
  const DType dtype = weight.dtype();
  if (input.dtype() == dtype) return input;
  if (!is_float(input.dtype()))
    fail(line_of(x, layer), "expected floats, got {}; cast them first: cast(x, {})", name(input.dtype()), name(dtype));
  return cast(input, dtype);
}

void check_option(DType dtype, const char* op, const char* option, double value, Source source) {
  if (!keeps(dtype, value))
    fail(source.named(op), "expected the {} to be in the range of {}, got {}; f64 has a wider one: cast(x, f64)",
         option, name(dtype), value);
}
void check_option(const In& x, const char* op, const char* option, double value) {
  if (x.node()) check_option(Tensor(x).dtype(), op, option, value, line_of(x));  // of nothing, the op itself says so
}

}  // namespace xgrad::nn
