#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lastbit/cli/data_options.h"
#include "lastbit/cli/network_options.h"
#include "lastbit/cli/run_folder.h"
#include "lastbit/cli/train/training.h"
#include "lastbit/graph/graph.h"
#include "lastbit/train/task.h"

namespace lastbit {

/// Two parts of a data set in the form that a network takes, and what it is to do with them.
struct Workload {
  std::unique_ptr<Task> task;
  std::unique_ptr<Batches> train;
  std::unique_ptr<Batches> test;
};

/// How a new network is made.
struct NewNetwork {
  std::string architecture;
  ZooOptions options;
  std::string normalize;     ///< As --normalize has it.
  bool own_input = false;    ///< `options.input` was given, and is not the data's.
  bool own_classes = false;  ///< The same of `options.classes`.
};

/// A data set as the commands that train take it. What it holds decides what a network is trained
/// for.
class Material {
 public:
  virtual ~Material() = default;

  virtual const std::string& name() const noexcept = 0;
  /// A network with random weights that takes the data.
  /// @throws InputError for an architecture or options that do not fit them.
  virtual Graph make(const NewNetwork& network, const TrainingChoice& training) const = 0;
  /// The values of `graph` that training looks at, as `Network` takes them.
  /// @throws InputError for a graph that is not made for such data.
  virtual std::vector<std::string> values(const Graph& graph) const = 0;
  /// @param graph  of which `network` was made.
  /// @throws InputError for data that do not fit the network.
  virtual Workload workload(const Graph& graph,
                            const Network& network,
                            const TrainingChoice& training) const = 0;
};

/// @param model  that goes on from its weights, and may say how the data are read; null for none.
std::unique_ptr<Material> open_material(const DataChoice& choice, const Graph* model);

/// Reports and logs the damaged samples that were skipped, where there were some.
void log_skipped(const Workload& data, RunFolder& folder);

}  // namespace lastbit
