#include "training/snapshot.hpp"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <xgrad/autodiff/memory.hpp>

namespace xgrad::training {

namespace {

// Where values go: parameters are stored together, all or none; a buffer is replaced, for its layer may have made it, or given it
// another shape, since.
struct Places final : nn::Walker {
  explicit Places(const NamedTensors& state) {
    for (const NamedTensor& entry : state) values.emplace(entry.name, entry.value);
  }
  void parameter(const nn::Path& path, Parameter& p) override {
    const auto found = values.find(path.dotted());
    if (found == values.end()) return;
    parameters.add(found->first, p);
    of_parameters.push_back(found->second);
  }
  void buffer(const nn::Path& path, Tensor& t) override {
    const auto found = values.find(path.dotted());
    buffers.emplace_back(&t, found == values.end() ? Tensor() : found->second);
  }
  std::unordered_map<std::string, Tensor> values;
  Parameters parameters;
  std::vector<Tensor> of_parameters;
  std::vector<std::pair<Tensor*, Tensor>> buffers;
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

void Snapshot::take_buffers() { state_ = model_.layers ? nn::buffers(*model_.layers) : NamedTensors(); }

void Snapshot::put_back() const {
  Places places(state_);
  if (model_.layers) model_.layers->walk(places);
  if (!model_.layers)
    for (std::size_t i = 0; i < state_.size(); ++i) {
      places.parameters.add(trained_[i]);
      places.of_parameters.push_back(state_[i].value);
    }
  assign_all(places.parameters, places.of_parameters, source_);
  for (const auto& [buffer, value] : places.buffers) *buffer = value;
}

}  // namespace xgrad::training
