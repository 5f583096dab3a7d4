# Desk's side: verifies X-Agent-Assertions and prints whose they are, a line for each. ruby verify.rb ASSERTION ...
# With the gem jwt (gem install jwt, or Debian's ruby-jwt).

require "json"
require "jwt"
require "net/http"

# Fetch the keys once and remember them; again only when a kid is unknown (kid_not_found), and not more than once a minute.
KEYS = ->(_options) { JSON.parse(Net::HTTP.get(URI(ENV.fetch("JWKS_URL"))), symbolize_names: true) }

def verify(assertion)
  claims, = JWT.decode(assertion, nil, true,
                       algorithms: ["ES256"], jwks: KEYS,
                       iss: ENV.fetch("ASSERTION_ISSUER"), verify_iss: true,
                       aud: ENV.fetch("ASSERTION_AUDIENCE"), verify_aud: true,
                       verify_iat: true, required_claims: %w[exp iat email])
  claims
end

ARGV.each do |assertion|
  puts verify(assertion).fetch("email")
rescue JWT::DecodeError => e
  puts "refused: #{e.message}"
end
