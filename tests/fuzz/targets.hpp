// What is fuzzed: a target takes a seed, makes an input of it and tries it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <xgrad/autodiff/error.hpp>

namespace fuzz {

struct Target {
  const char* name;
  const char* what;
  std::string (*run)(std::uint64_t seed);  // what is wrong; empty: nothing. A crash is wrong, too
};
const std::vector<Target>& targets();

std::string run_state(std::uint64_t seed);        // states.cpp
std::string run_text(std::uint64_t seed);         // texts.cpp
std::string run_environment(std::uint64_t seed);  // environment.cpp

// An Error is what bad input is answered with; anything else that is thrown is wrong.
template <class F>
std::string only_errors(const F& f) {
  try {
    return f();
  } catch (const xgrad::Error&) {
    return {};
  } catch (const std::exception& e) {
    return fmt::format("threw {}, which is no Error", e.what());
  }
}

}  // namespace fuzz
