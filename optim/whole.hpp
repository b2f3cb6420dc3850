// New values of what tensors' formulas change, stored when all are there. Private to optim/.
#pragma once

#include <cstring>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "optim/state.hpp"

namespace xgrad::optim {

struct Optimizer::Whole {
  Parameters entries;
  std::vector<Tensor> values;
  std::vector<std::pair<Tensor*, Tensor>> slots;
  std::vector<std::pair<char*, Tensor>> copies;  // to memory

  void keep(Tensor& slot, Tensor value) {
    if (value.node() != slot.node()) slots.emplace_back(&slot, std::move(value));
  }
  void evaluate_all(Source source) {
    Tensors all;
    for (Tensor& v : values) all.push_back(v = v.detach(source));
    for (auto& [slot, value] : slots) all.push_back(value = value.detach(source));
    for (auto& [to, value] : copies) all.push_back(value = value.detach(source));
    evaluate(all, source);
    for (auto& [to, value] : copies) value = contiguous(value, source);
  }
  void store(Source source) {
    assign_all(entries, values, source);
    for (auto& [slot, value] : slots) *slot = std::move(value);
    for (auto& [to, value] : copies)
      std::memcpy(to, readable(value, source), static_cast<std::size_t>(value.numel() * item_size(value.dtype())));
  }
};

// What a formula gave, in the dtype that is held: a 0-d tensor of f64, as a group's state may be, makes f64 of another of f32.
Tensor like(const char* name, const char* what, const std::string& of, const Tensor& got, const Tensor& expected,
            Source source);
void require_count(const char* name, const char* of_what, std::size_t got, std::size_t expected, Source source);

}  // namespace xgrad::optim
