import CKernels
import HearthCompute

extension GEMM {
    public enum Activation: String, Sendable, CaseIterable {
        case identity, relu
        /// `x / 2 * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`
        case gelu
        /// `x / (1 + e^-x)`
        case silu

        var code: ck_activation_t {
            switch self {
            case .identity: CK_IDENTITY
            case .relu: CK_RELU
            case .gelu: CK_GELU
            case .silu: CK_SILU
            }
        }
    }

    /// What a product is scaled with and what happens to it before it is left:
    /// `c = activation(alpha * A B^T + beta * c + bias)`.
    ///
    /// - bias: `[n]`, f32, added to every row; overlaps no other operand.
    /// - Aliasing: with beta other than 0 c is also read; with beta 0 it is not, whatever it holds.
    public struct Options: Sendable {
        public var alpha: Float = 1
        public var beta: Float = 0
        public var bias: Tensor?
        public var activation = Activation.identity
        /// Where matrix units make a product of f16 they may keep its sums in f16: an error of 2^-11 of the largest partial sum a
        /// step, infinite beyond 65504. Elsewhere they are f32. The ceiling it is reported beside is that of f32 sums.
        public var mayAccumulateInF16 = false

        public init(
            alpha: Float = 1, beta: Float = 0, bias: Tensor? = nil, activation: Activation = .identity,
            mayAccumulateInF16: Bool = false
        ) {
            (self.alpha, self.beta, self.bias, self.activation) = (alpha, beta, bias, activation)
            self.mayAccumulateInF16 = mayAccumulateInF16
        }

        var isPlain: Bool { alpha == 1 && beta == 0 && bias == nil && activation == .identity }

        func validate(_ p: Problem, _ c: Tensor) throws(DeviceError) {
            if let bias {
                try require(
                    bias.shape == [p.n] && bias.dtype == .f32 && bias.isContiguous, "GEMM",
                    "bias is \(bias.dtype) \(bias.shape), expected f32 [\(p.n)]")
            }
            try require(beta == 0 || c.dtype == .f32, "GEMM", "beta needs an f32 c, not \(c.dtype)")
        }
    }
}

extension GEMM.Out {
    init(_ c: Tensor, _ options: GEMM.Options) {
        self.init(c)
        beta = options.beta
        epilogue.activation = options.activation.code
        epilogue.bias = options.bias.map { UnsafePointer($0.hostPointer(as: Float.self)) }
    }
}
