# frozen_string_literal: true

module Deskgate
  # In the place of Redmine's own logins: its session, passwords, API keys and "remember me" name nobody here.
  module CurrentUser
    def find_current_user
      claims = request.env['deskgate.claims'] or return nil
      user = Users.of(claims)
      unless user&.active?
        render_error status: 403, message: 'Redmine has locked this user.'
        return nil
      end
      # Redmine asks no form token of API requests. One that a browser's session brought could be another site's.
      return nil if api_request? && claims['sid']

      session_of(user) unless api_request?
      user.remote_ip = request.remote_ip unless performed?
      user
    end

    private

    # When another agent comes in the same browser, a new session begins, with nothing that the former agent has typed.
    def session_of(user)
      return if session[:user_id] == user.id

      taken = session[:user_id].present?
      self.logged_user = user
      return if !taken || request.get? || request.head?

      render_error status: 422, message: :error_invalid_authenticity_token
    end
  end
end
