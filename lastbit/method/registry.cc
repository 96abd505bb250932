#include "lastbit/method/registry.h"

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {

// Each is defined in the file of its method.
MethodInfo admm_method();
MethodInfo bc_method();
MethodInfo binaryrelax_method();
MethodInfo bwn_method();
MethodInfo dc_method();
MethodInfo dorefa_method();
MethodInfo gd_tanh_method();
MethodInfo idc_method();
MethodInfo inq_method();
MethodInfo lc_method();
MethodInfo lc_qp_method();
MethodInfo lsq_method();
MethodInfo md_softmax_method();
MethodInfo md_softmax_s_method();
MethodInfo md_tanh_method();
MethodInfo md_tanh_s_method();
MethodInfo parq_method();
MethodInfo picm_method();
MethodInfo pmf_method();
MethodInfo proxquant_method();
MethodInfo ttq_method();
MethodInfo twn_method();

std::span<const MethodInfo> methods() {
  static const std::vector<MethodInfo> kMethods = {
      admm_method(),        lc_method(),        lc_qp_method(),        dc_method(),
      idc_method(),         md_tanh_s_method(), md_softmax_s_method(), md_tanh_method(),
      md_softmax_method(),  gd_tanh_method(),   pmf_method(),          picm_method(),
      bc_method(),          bwn_method(),       twn_method(),          ttq_method(),
      lsq_method(),         dorefa_method(),    inq_method(),          proxquant_method(),
      binaryrelax_method(), parq_method(),
  };
  return kMethods;
}

const MethodInfo& find_method(std::string_view name) {
  std::vector<std::string_view> known;
  for (const MethodInfo& info : methods()) {
    if (info.name == name) return info;
    known.push_back(info.name);
  }
  throw InputError(cat("[method] '", name, "' is not known, expected one of: ", join(known)));
}

std::unique_ptr<Method> make_method(const MethodInfo& info,
                                    const std::map<std::string, std::string>& given) {
  return info.make(Settings(info.name, info.options, given));
}

}  // namespace lastbit
