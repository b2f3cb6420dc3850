// The reference numbers beside this file, by name, and how near a result must come to them.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <unordered_map>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/safetensors.hpp>

namespace references {

inline std::string path(const std::string& name) {
  return (std::filesystem::path(XGRAD_SOURCE_DIR "/tests/references") / (name + ".safetensors")).string();
}

class File {
 public:
  explicit File(const std::string& name) : name_(name) {
    for (auto& [key, value] : xgrad::read_safetensors(path(name)).tensors) tensors_.emplace(key, value);
  }
  const xgrad::Tensor& operator[](const std::string& key) const {
    const auto found = tensors_.find(key);
    if (found == tensors_.end())
      throw std::out_of_range(name_ + " has no " + key +
                              "; add it to the program in tests/references that makes the file, and run it");
    return found->second;
  }
  bool has(const std::string& key) const { return tensors_.count(key) != 0; }

 private:
  std::string name_;
  std::unordered_map<std::string, xgrad::Tensor> tensors_;
};

inline double tolerance(xgrad::DType dtype) { return dtype == xgrad::f64 ? 1e-12 : 1e-6; }

// Empty where `got` is within the tolerance of `wanted`, relative to the number itself or to half of the greatest.
inline std::string difference(const xgrad::Tensor& got, const xgrad::Tensor& wanted, double times = 1) {
  using namespace xgrad;
  if (!got.defined()) return "empty";
  if (got.shape() != wanted.shape() || got.dtype() != wanted.dtype())
    return fmt::format("{} {} instead of {} {}", name(got.dtype()), got.shape(), name(wanted.dtype()), wanted.shape());
  const auto a = got.to_vector<double>(), b = wanted.to_vector<double>();
  double greatest = 0;
  for (const double v : b) greatest = std::max(greatest, std::abs(v));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    const double allowed = times * tolerance(got.dtype()) * std::max(std::abs(b[i]), 0.5 * greatest);
    if (!(std::abs(a[i] - b[i]) <= allowed))
      return fmt::format("element {}: {} instead of {}, off by {} where {} is allowed", i, a[i], b[i],
                         std::abs(a[i] - b[i]), allowed);
  }
  return {};
}

// The message of the Error that f throws; empty where it throws none.
template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const xgrad::Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace references

#define CHECK_NEAR(what, got, wanted)                            \
  do {                                                           \
    const std::string off = references::difference(got, wanted); \
    BOOST_TEST(off == "", std::string(what) + ": " + off);       \
  } while (false)
#define CHECK_ERROR(expression, part)                                                                          \
  do {                                                                                                         \
    const std::string said_ = references::error_of([&] { (void)(expression); }), wanted_ = part;               \
    BOOST_TEST(!wanted_.empty(), "no part of the message is expected");                                        \
    BOOST_TEST(said_.find(wanted_) != std::string::npos, "'" + said_ + "' says nothing of '" + wanted_ + "'"); \
    BOOST_TEST(said_.find(".cpp:") != std::string::npos, "'" + said_ + "' names no line");                     \
  } while (false)
