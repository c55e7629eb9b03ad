import HTTPTypes
import HearthFleet
import Hummingbird

/// Says in each answer which start of the coordinator it is from, and leaves nodes alone that have heard from a later one: with a copy of its
/// state somebody started a second coordinator, and this one is out of date.
struct EpochMiddleware: RouterMiddleware {
    let store: CoordinatorStore

    private static let header = HTTPField.Name(CoordinatorEpoch.header)!

    func handle(
        _ request: Request, context: CoordinatorContext, next: (Request, CoordinatorContext) async throws -> Response
    ) async throws -> Response {
        if context.principal != nil, let heard = request.headers[Self.header].flatMap({ Int64($0) }),
            heard > store.epoch
        {
            context.logger.critical(
                "another coordinator has taken over this one's nodes: stop one of them",
                metadata: ["epoch": "\(store.epoch)", "heard": "\(heard)"])
            throw HTTPError(
                .misdirectedRequest,
                message: "a later coordinator has taken over (epoch \(heard); this one is \(store.epoch))")
        }
        var response = try await next(request, context)
        response.headers[Self.header] = "\(store.epoch)"
        return response
    }
}
