# frozen_string_literal: true

# The Rack side of Deskgate: verifies X-Agent-Assertion (a JWS, ES256) with the keys that the gateway publishes, before
# anything of Redmine runs. What it says is in env['deskgate.claims']; a request without a valid one gets 401. No other
# header is trusted.

require 'json'
require 'jwt'
require 'net/http'

module Deskgate
  class Gate
    # Seconds: how long keys are used, and how soon an unknown key may ask for them anew.
    KEYS_LAST = 300
    ASK_AGAIN = 10

    def initialize(app)
      @app = app
      @issuer = ENV.fetch('DESKGATE_PUBLIC_URL')
      @audience = ENV.fetch('DESKGATE_AUDIENCE')
      @jwks = URI(ENV['DESKGATE_JWKS'] || "#{@issuer}/auth/jwks.json")
      @keys = nil
      @read_at = @asked_at = -Float::INFINITY
      @lock = Mutex.new
    end

    def call(env)
      env['deskgate.claims'] = claims(env['HTTP_X_AGENT_ASSERTION'].to_s)
      @app.call(env)
    rescue JWT::DecodeError
      text = "Redmine takes requests from Deskgate alone. Open #{@issuer}\n"
      [401, { 'Content-Type' => 'text/plain; charset=utf-8', 'Cache-Control' => 'no-store' }, [text]]
    end

    private

    def claims(assertion)
      claims, = JWT.decode(assertion, nil, true,
                           algorithms: ['ES256'], jwks: method(:keys), leeway: 5,
                           iss: @issuer, verify_iss: true, aud: @audience, verify_aud: true,
                           verify_iat: true, required_claims: %w[exp iat email])
      raise JWT::DecodeError, 'no e-mail address' unless claims['email'].is_a?(String) && claims['email'] != ''

      claims
    end

    # What cannot be read leaves the old keys in use.
    def keys(options)
      @lock.synchronize do
        old = now - @read_at > KEYS_LAST
        read_keys if (old || options[:kid_not_found]) && now - @asked_at >= ASK_AGAIN
        @keys || { keys: [] }
      end
    end

    def read_keys
      @asked_at = now
      http = Net::HTTP.new(@jwks.host, @jwks.port)
      http.use_ssl = @jwks.scheme == 'https'
      http.open_timeout = http.read_timeout = 5
      response = http.get(@jwks.request_uri)
      return unless response.is_a?(Net::HTTPOK)

      @keys = JSON.parse(response.body, symbolize_names: true)
      @read_at = now
    rescue SystemCallError, IOError, Timeout::Error, OpenSSL::SSL::SSLError, JSON::ParserError => e
      warn "Deskgate's keys could not be read from #{@jwks}: #{e.message}"
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
