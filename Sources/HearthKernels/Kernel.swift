import HearthCompute
import HearthRoofline

/// The kernels Hearth has, by the word that names their folder, shader and tests.
///
/// Each has a launcher (`encode`), a backend in `+CPU` and `+Vulkan`, a `+Cost` and a plain `+Reference`.
package enum KernelCatalog {
    package static let names = [
        "GEMM", "Attention", "RMSNorm", "LayerNorm", "RoPE", "SwiGLU", "Add", "Gather", "Scatter", "ArgMax", "TopK",
        "Softmax",
        "CrossEntropy", "Quantise", "Cast",
    ]
}

/// Throws `invalid` with the kernel's name in front when `condition` does not hold.
func require(_ condition: Bool, _ kernel: String, _ message: @autoclosure () -> String) throws(DeviceError) {
    if !condition { throw DeviceError(.invalid, "\(kernel): \(message())") }
}

/// Workgroups of a one-dimensional launch, laid over two dimensions of at most 32768 and 65535; shaders return from those past
/// the end.
func grid(_ workgroups: Int) -> (x: Int, y: Int, z: Int) {
    (min(workgroups, 32768), (workgroups + 32767) / 32768, 1)
}
