#include "training/snapshot.hpp"

#include <string>
#include <unordered_map>

namespace xgrad::training {

namespace {

// Stores into the variables that are there. A buffer is replaced: its layer may have made it, or given it another shape, since.
struct PutBack final : nn::Walker {
  PutBack(const NamedTensors& state, Source s) : source(s) {
    for (const NamedTensor& entry : state) values.emplace(entry.name, entry.value);
  }
  void parameter(const nn::Path& path, Parameter& p) override {
    if (const auto found = values.find(path.dotted()); found != values.end()) p.assign(found->second, source);
  }
  void buffer(const nn::Path& path, Tensor& t) override {
    const auto found = values.find(path.dotted());
    t = found == values.end() ? Tensor() : found->second;
  }
  std::unordered_map<std::string, Tensor> values;
  Source source;
};

}  // namespace

Snapshot::Snapshot(const Called& model, const optim::Optimizer& optimizer, Source source)
    : model_(model), source_(source) {
  if (!model.layers) trained_ = optimizer.parameters(source);
}

void Snapshot::take() {
  NamedTensors state;
  if (model_.layers) state = nn::state_dict(*model_.layers);
  for (const Parameters::Entry& p : trained_) state.push_back({p.name, p.value().detach()});
  state_ = std::move(state);
  taken_ = true;
}

void Snapshot::put_back() const {
  if (model_.layers) {
    PutBack to(state_, source_);
    model_.layers->walk(to);
  }
  std::size_t i = 0;
  for (const Parameters::Entry& p : trained_) p.assign(state_[i++].value, source_);
}

}  // namespace xgrad::training
