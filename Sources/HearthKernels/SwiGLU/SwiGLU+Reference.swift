import Foundation

extension SwiGLU {
    package static func reference(gate: [Float], up: [Float]) -> [Double] {
        zip(gate, up).map { Double($0) / (1 + exp(-Double($0))) * Double($1) }
    }
}
