// Do a loss and the parameters that are to be trained by it belong together?
#include <fmt/core.h>

#include <unordered_set>

#include <xgrad/autodiff/differentiate.hpp>
#include <xgrad/nn/model.hpp>
#include "nn/names.hpp"

namespace xgrad::nn {
std::string untrained(const Parameters& trained, const Parameters& known, const In& loss) {
  std::unordered_set<const engine::Variable*> expected, reached;
  for (const Parameters::Entry& p : trained) expected.insert(p.variable.get());
  for (const Parameters::Entry& p : known) expected.insert(p.variable.get());
  std::vector<std::string> unseen, idle, of_the_model;
  for (const Parameters::Entry& v : variables_of(loss)) {
    reached.insert(v.variable.get());
    if (!expected.count(v.variable.get())) unseen.push_back(v.name);
  }
  for (const Parameters::Entry& p : trained)
    if (!reached.count(p.variable.get()) && p.value().requires_grad())
      idle.push_back(p.name);  // those that are frozen are meant
  for (const Parameters::Entry& p : known)
    if (reached.count(p.variable.get())) of_the_model.push_back(p.name);
  if (!of_the_model.empty() && !trained.empty() && idle.size() == trained.size())
    return fmt::format(
        "the loss depends on {} of the model, and on none of the optimizer's parameters: it was made for another "
        "model, or before nn::cast or a move made new ones; build it of nn::parameters(model) as it is now",
        some_of(of_the_model));
  if (!unseen.empty())
    return fmt::format(
        "the loss depends on {}, which would not be trained; name it in XGRAD_FIELDS, or, where it is a "
        "copy's, use the model itself; what is not to be trained is called under a NoGrad, or frozen",
        some_of(unseen));
  if (!idle.empty())
    return fmt::format(
        "the loss does not depend on {}{}, which would not be trained; is it used, and was nothing that it "
        "leads to detached, or made under NoGrad?",
        idle.size() == trained.size() ? "any parameter: " : "", some_of(idle));
  return "";
}

void verify(AnyModel model, const In& loss) {
  struct Collect final : Walker {
    void parameter(const Path& path, Parameter& p) override { found.add(path.dotted(), p); }
    Parameters found;
  } to;
  model.walk(to);
  const std::string wrong = untrained(to.found, {}, loss);
  if (!wrong.empty()) fail(line_of(loss, "verify"), "" + wrong);
}

}  // namespace xgrad::nn
