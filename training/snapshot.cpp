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
  void put_buffers() const {
    for (const auto& [buffer, value] : buffers) *buffer = value;
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

void Snapshot::put_back() const {
  Places places(state_);
  if (model_.layers) model_.layers->walk(places);
  std::size_t i = 0;
  for (const Parameters::Entry& p : trained_) {
    places.parameters.add(p);
    places.of_parameters.push_back(state_[i++].value);
  }
  assign_all(places.parameters, places.of_parameters, source_);
  places.put_buffers();
}

void Snapshot::put_back_buffers() const {
  if (!model_.layers) return;
  Places places(state_);
  model_.layers->walk(places);
  places.put_buffers();
}

}  // namespace xgrad::training
