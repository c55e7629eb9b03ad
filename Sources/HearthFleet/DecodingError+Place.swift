extension DecodingError {
    /// Where JSON does not fit and why, for a client; no path where the whole is at fault.
    public var place: (path: [any CodingKey]?, reason: String) {
        switch self {
        case .keyNotFound(let key, let context): (context.codingPath + [key], "missing")
        case .typeMismatch(let type, let context): (context.codingPath, "expected \(type)")
        case .valueNotFound(let type, let context): (context.codingPath, "expected \(type), found null")
        case .dataCorrupted(let context):
            context.codingPath.isEmpty ? (nil, "the body is not JSON") : (context.codingPath, context.debugDescription)
        @unknown default: (nil, "the body cannot be read")
        }
    }
}
